//! Who decides: the config, a policy, the host, the request.

use standpipe::{
    CircuitBreakerConfig, ExponentialBackoff, HostConfig, Jitter, Pool, PoolBuilder, PoolConfig,
    RetryPolicy,
};
use standpipe_test::memory::Network;
use tokio::time::Instant;

use crate::support::{URL, on, secs};
use crate::{in_turn, millis, serving, status};

#[tokio::test(start_paused = true)]
async fn the_settings_of_the_config_take_effect() {
    let network = Network::new();
    let server = serving(&network, vec![status(503)]);
    let config = PoolConfig {
        max_retries: 4,
        initial_retry_delay: millis(100),
        max_retry_delay: millis(500),
        retry_multiplier: 3.0,
        retry_jitter: 0.0,
        circuit_breaker: None,
        ..PoolConfig::default()
    };
    let pool = on(&network).config(config).build().unwrap();
    let begun = Instant::now();
    let response = pool.get(URL).send().await.unwrap();
    assert_eq!(response.status(), 503);
    // 100, 300, and then 900 and 2,700 cut to 500.
    let info = response.retry_info().unwrap();
    assert_eq!((info.attempts, info.waited), (5, millis(1400)));
    assert_eq!(begun.elapsed(), millis(1400));
    assert_eq!(server.stats().requests, 5);
}

#[tokio::test(start_paused = true)]
async fn a_policy_goes_before_the_config() {
    let network = Network::new();
    let server = serving(&network, vec![status(500), status(200)]);
    let backoff = ExponentialBackoff::new(secs(5)).jitter(Jitter::None);
    let policy = RetryPolicy::new().statuses([500]).backoff(backoff);
    let pool = on(&network)
        .max_retries(0)
        .retry_policy(policy)
        .build()
        .unwrap();
    let begun = Instant::now();
    assert_eq!(pool.get(URL).send().await.unwrap().status(), 200);
    assert_eq!((begun.elapsed(), server.stats().requests), (secs(5), 2));
}

#[tokio::test(start_paused = true)]
async fn of_settings_of_retries_and_of_breakers_the_later_one_holds() {
    let policy = || RetryPolicy::new().statuses([503]).max_retries(5);
    let config = || PoolConfig {
        max_retries: 1,
        ..PoolConfig::default()
    };
    type Configure = fn(PoolBuilder) -> PoolBuilder;
    let cases: [(Configure, usize); 8] = [
        (|pool| pool.without_retry().max_retries(2), 3),
        (|pool| pool.max_retries(2).without_retry(), 1),
        (|pool| pool.without_retry(), 1),
        (|pool| pool.max_retries(0), 1),
        (|pool| pool.retry_statuses(vec![500]), 1),
        (|pool| pool.retry_statuses(vec![500, 503]).max_retries(4), 5),
        (|pool| pool.without_retry().without_retry(), 1),
        (|pool| pool, 4),
    ];
    for (number, (configure, requests)) in cases.into_iter().enumerate() {
        assert_eq!(requests_of(configure).await, requests, "case {number}");
    }
    let (of_policy, of_config) = (policy(), config());
    let later = requests_of(|pool| pool.without_retry().retry_policy(of_policy)).await;
    assert_eq!(later, 6);
    let later = requests_of(|pool| pool.without_retry().config(of_config)).await;
    assert_eq!(later, 2);
    for (configure, requests) in [
        ((|pool| pool.max_retries(2)) as Configure, 3),
        (|pool| pool.without_retry(), 1),
        (|pool| pool.retry_statuses(vec![500]), 1),
        // What the policy has no setting of stays as it says.
        (|pool| pool.retry_jitter(0.0), 6),
    ] {
        let of_policy = policy();
        let later = requests_of(|pool| configure(pool.retry_policy(of_policy))).await;
        assert_eq!(later, requests);
    }
    let breaker = CircuitBreakerConfig::new().threshold(3);
    let again = breaker.clone();
    let builder = Pool::builder().without_circuit_breaker();
    let pool = builder.circuit_breaker(again).build().unwrap();
    assert_eq!(pool.config().circuit_breaker, Some(breaker.clone()));
    let builder = Pool::builder().circuit_breaker(breaker);
    let pool = builder.without_circuit_breaker().build().unwrap();
    assert_eq!(pool.config().circuit_breaker, None);
}

/// How often a request is sent to a server that always answers 503.
async fn requests_of(configure: impl FnOnce(PoolBuilder) -> PoolBuilder) -> usize {
    let network = Network::new();
    let server = serving(&network, vec![status(503)]);
    let builder = on(&network).without_circuit_breaker();
    let pool = configure(builder)
        .without_circuit_breaker()
        .build()
        .unwrap();
    pool.get(URL).send().await.unwrap();
    server.stats().requests
}

#[tokio::test(start_paused = true)]
async fn without_retry_there_is_one_attempt_and_its_error_says_so() {
    let network = Network::new();
    let server = serving(&network, vec![status(503)]);
    let pool = on(&network).without_retry().build().unwrap();
    assert_eq!(pool.config().max_retries, 0);
    let response = pool.get(URL).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.retry_info()),
        (503, None)
    );
    assert_eq!(server.stats().requests, 1);
    let error = pool.get("http://nobody.test/").send().await.unwrap_err();
    assert_eq!((error.attempts(), network.dials()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_host_has_a_policy_of_its_own_or_none() {
    let network = Network::new();
    let a = serving(&network, vec![status(503)]);
    let [b, c] = ["b.test:80", "c.test:80"]
        .map(|name| in_turn(vec![status(503)]).start_on(network.listen(name)));
    let pool = on(&network)
        .host(
            "b.test",
            HostConfig::new().retry(RetryPolicy::new().max_retries(1)),
        )
        .host("c.test", HostConfig::new().no_retry())
        .build()
        .unwrap();
    for url in [URL, "http://b.test/", "http://c.test/"] {
        assert_eq!(pool.get(url).send().await.unwrap().status(), 503);
    }
    let requests = [a, b, c].map(|server| server.stats().requests);
    assert_eq!(requests, [4, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_request_has_the_last_word() {
    let network = Network::new();
    let server = serving(&network, vec![status(503)]);
    let builder = on(&network).without_circuit_breaker();
    let pool = builder.build().unwrap();
    let sent = |n: usize| assert_eq!(server.stats().requests, n);
    let response = pool.get(URL).no_retry().send().await.unwrap();
    assert_eq!(response.retry_info(), None);
    sent(1);
    let one = RetryPolicy::new().max_retries(1);
    pool.get(URL)
        .retry_policy(one.clone())
        .send()
        .await
        .unwrap();
    sent(3);
    // What was said last holds.
    let request = pool.get(URL).retry_policy(one.clone()).no_retry();
    request.send().await.unwrap();
    sent(4);
    let request = pool.get(URL).no_retry().retry_policy(one.clone());
    request.send().await.unwrap();
    sent(6);

    // Where the pool and the host have none, a request may still want it.
    let pool = on(&network).without_retry().build().unwrap();
    pool.get(URL).retry_policy(one).send().await.unwrap();
    sent(8);
}

#[tokio::test(start_paused = true)]
async fn what_a_request_wants_is_part_of_the_request() {
    let network = Network::new();
    let server = serving(&network, vec![status(503)]);
    let pool = on(&network).build().unwrap();
    let request = pool.get(URL).no_retry().build().unwrap();
    let response = pool.execute(request).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(server.stats().requests, 1);
}

/// Ten minutes of failure, and the waits of three retries are no longer than they may be, from run to
/// run by chance.
#[tokio::test(start_paused = true)]
async fn the_jitter_differs_from_request_to_request() {
    let network = Network::new();
    let _server = serving(&network, vec![status(503)]);
    let builder = on(&network).without_circuit_breaker().max_retries(1);
    let pool = builder.build().unwrap();
    let mut waits = Vec::new();
    for _ in 0..20 {
        let response = pool.get(URL).send().await.unwrap();
        waits.push(response.retry_info().unwrap().waited);
    }
    assert!(
        waits
            .iter()
            .all(|wait| *wait >= secs(1) && *wait <= millis(1100))
    );
    waits.sort();
    waits.dedup();
    assert!(waits.len() > 10, "{waits:?}");
}
