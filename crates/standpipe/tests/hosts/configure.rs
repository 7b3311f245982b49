//! Settings that change while the pool runs.

use std::time::Duration;

use standpipe::{BudgetPolicy, CircuitBreakerConfig, ErrorKind, HostConfig, Origin, RetryPolicy};
use standpipe_test::memory::Network;

use crate::support::{
    URL, assert_line, echo_on, on, peer, pool_and_listener, secs, settle, spawn_get,
};
use crate::{echo, per_minute};

fn with_header(value: &str) -> HostConfig {
    HostConfig::new().default_header("x-version", value)
}

#[tokio::test]
async fn settings_hold_from_the_next_request_on_and_disturb_none_that_is_under_way() {
    let (_network, listener, pool) =
        pool_and_listener(|pool| pool.host("a.test", with_header("1")));
    let first = spawn_get(&pool, URL);
    let mut one = peer(&listener).await;
    assert!(one.read_head().await.unwrap().contains("x-version: 1"));

    pool.configure_host("a.test", with_header("2")).unwrap();
    let second = spawn_get(&pool, URL);
    let mut two = peer(&listener).await;
    assert!(two.read_head().await.unwrap().contains("x-version: 2"));

    for (server, answer, sent) in [(&mut one, "first", first), (&mut two, "second", second)] {
        server.respond("200 OK", answer).await.unwrap();
        assert_eq!(sent.await.unwrap().unwrap(), answer);
    }
    let given = pool.host_configs();
    assert_eq!(given, [("a.test".to_owned(), with_header("2"))]);
}

#[tokio::test]
async fn settings_of_other_hosts_stay_and_a_host_that_comes_later_has_its_own() {
    let network = Network::new();
    let _servers = ["a.test:80", "b.test:80"].map(|address| echo_on(&network, address));
    let pool = on(&network)
        .host("b.test", with_header("b"))
        .build()
        .unwrap();
    pool.configure_host("a.test", with_header("a")).unwrap();
    assert_line(&echo(&pool, "http://a.test/").await, "x-version: a");
    assert_line(&echo(&pool, "http://b.test/").await, "x-version: b");
}

#[tokio::test]
async fn a_thousand_settings_for_one_name_are_one_in_its_first_place() {
    let names = ["a.test", "A.TEST", "b.test"];
    let hosts = (0..1_000).map(|n| (names[n % 3], with_header(&n.to_string())));
    let built = hosts
        .clone()
        .fold(standpipe::Pool::builder(), |pool, (name, config)| {
            pool.host(name, config)
        });
    let configured = standpipe::Pool::new();
    for (name, config) in hosts {
        configured.configure_host(name, &config).unwrap();
    }
    let last = [("a.test", "999"), ("b.test", "998")];
    let last = last.map(|(name, n)| (name.to_owned(), with_header(n)));
    for pool in [built.build().unwrap(), configured] {
        assert_eq!(pool.host_configs(), last);
    }
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let network = Network::new();
    let _server = echo_on(&network, "a.test:80");
    let pool = on(&network)
        .host("a.test", with_header("1"))
        .build()
        .unwrap();
    let wrong = HostConfig::new().attempt_timeout(Duration::ZERO);
    let refused = pool.configure_host("a.test", &wrong).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(
        refused
            .to_string()
            .contains("attempt_timeout of host a.test"),
        "{refused}"
    );
    assert!(pool.configure_host("a.test/v1", with_header("2")).is_err());
    assert_line(&echo(&pool, URL).await, "x-version: 1");
}

#[tokio::test(start_paused = true)]
async fn a_host_whose_settings_change_keeps_its_circuit_its_limiter_and_its_budget() {
    let network = Network::new();
    let breaker = CircuitBreakerConfig::new().threshold(1);
    let config = HostConfig::new().rate_limit(per_minute(2)).no_retry();
    let pool = on(&network)
        .circuit_breaker(breaker.clone())
        .host("a.test", config.clone())
        .build()
        .unwrap();
    // Nobody listens: the first request opens the circuit, and has taken one from the quota.
    pool.get(URL).send().await.unwrap_err();
    let origin = Origin::parse(URL).unwrap();
    let (circuit, limiter) = (
        pool.circuit_breaker(&origin).unwrap(),
        pool.rate_limiter(&origin).unwrap(),
    );
    assert_eq!(circuit.state(), standpipe::CircuitState::Open);
    assert_eq!(limiter.stats().available, [1]);

    let changed = config.clone().default_header("x-version", "2");
    pool.configure_host("a.test", &changed).unwrap();
    let error = pool.get(URL).send().await.unwrap_err();
    assert!(error.is_circuit_open(), "{error}");
    assert_eq!(pool.rate_limiter(&origin).unwrap().stats().available, [1]);

    // Other quotas go on with what was taken; another breaker is another circuit.
    let other = changed
        .rate_limit(per_minute(3))
        .circuit_breaker(breaker.half_open_max(2));
    pool.configure_host("a.test", &other).unwrap();
    let circuit = pool.circuit_breaker(&origin).unwrap();
    assert_eq!(circuit.state(), standpipe::CircuitState::Closed);
    assert_eq!(pool.rate_limiter(&origin).unwrap().stats().available, [2]);
}

#[tokio::test(start_paused = true)]
async fn the_budget_of_retries_goes_on_over_a_change_of_settings() {
    let network = Network::new();
    // Every second request pays for one retry.
    let budget = BudgetPolicy::default().ratio(0.5).per_second(0);
    let policy = RetryPolicy::new().budget(Some(budget));
    let config = HostConfig::new().retry(policy).no_circuit_breaker();
    let pool = on(&network).host("a.test", config.clone()).build().unwrap();
    let error = pool.get(URL).send().await.unwrap_err();
    assert_eq!(error.attempts(), 1);
    let changed = config.default_header("x-version", "2");
    pool.configure_host("a.test", &changed).unwrap();
    let error = pool.get(URL).send().await.unwrap_err();
    assert_eq!(error.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_host_may_have_a_longer_or_a_shorter_time_than_the_others() {
    let network = Network::new();
    let _listeners = ["a.test:80", "b.test:80", "c.test:80"].map(|at| network.listen(at));
    let pool = on(&network)
        .request_timeout(Some(secs(10)))
        .host("a.test", HostConfig::new().request_timeout(secs(30)))
        .host("b.test", HostConfig::new().request_timeout(secs(2)))
        .build()
        .unwrap();
    let begun = tokio::time::Instant::now();
    for (url, seconds) in [
        ("http://a.test/", 30),
        ("http://b.test/", 2),
        ("http://c.test/", 10),
    ] {
        let sent = begun.elapsed();
        let error = pool.get(url).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
        assert_eq!((begun.elapsed() - sent).as_secs(), seconds, "{url}");
    }
    // A request's own goes before the host's, and so does a setting that is made later.
    let sent = begun.elapsed();
    pool.get("http://a.test/")
        .timeout(secs(1))
        .send()
        .await
        .unwrap_err();
    pool.configure_host("a.test", HostConfig::new()).unwrap();
    pool.get("http://a.test/").send().await.unwrap_err();
    assert_eq!((begun.elapsed() - sent).as_secs(), 11);
}

#[tokio::test]
async fn a_host_may_have_fewer_connections_than_the_others() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let limited = HostConfig::new().max_connections(1);
    let pool = on(&network).host("a.test", limited).build().unwrap();
    let first = spawn_get(&pool, URL);
    let second = spawn_get(&pool, URL);
    let mut server = peer(&listener).await;
    settle().await;
    assert_eq!(network.dials(), 1);
    pool.configure_host("a.test", HostConfig::new()).unwrap();
    settle().await;
    // The setting is the host's stack's, which the next request makes anew.
    let third = spawn_get(&pool, URL);
    let mut servers = vec![peer(&listener).await, peer(&listener).await];
    for server in std::iter::once(&mut server).chain(&mut servers) {
        server.read_head().await.unwrap();
        server.respond("200 OK", "done").await.unwrap();
    }
    for sent in [first, second, third] {
        assert_eq!(sent.await.unwrap().unwrap(), "done");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hosts_total_holds_for_streams_and_for_requests_that_say_something_of_their_time() {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let config = HostConfig::new().request_timeout(secs(30));
    let pool = on(&network)
        .request_timeout(Some(secs(10)))
        .response_header_timeout(None)
        .host("a.test", config)
        .build()
        .unwrap();
    let begun = tokio::time::Instant::now();
    pool.get(URL).send_streaming().await.unwrap_err();
    assert_eq!(begun.elapsed().as_secs(), 30);
    let request = pool.get(URL).body_idle_timeout(secs(1));
    request.send().await.unwrap_err();
    assert_eq!(begun.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn other_timeouts_are_no_reason_to_forget_an_open_circuit() {
    let network = Network::new();
    let breaker = CircuitBreakerConfig::new().threshold(1);
    let pool = on(&network)
        .circuit_breaker(breaker)
        .without_retry()
        .build()
        .unwrap();
    pool.get(URL).send().await.unwrap_err();
    let longer = HostConfig::new()
        .attempt_timeout(secs(200))
        .request_timeout(secs(300));
    pool.configure_host("a.test", &longer).unwrap();
    let error = pool.get(URL).send().await.unwrap_err();
    assert!(error.is_circuit_open(), "{error}");
}

#[tokio::test]
async fn no_debug_output_shows_the_value_of_a_header_or_a_query() {
    let config = HostConfig::new().default_header("x-vault", "hunter2");
    let builder = standpipe::Pool::builder().host("a.test", config);
    let pool = builder.clone().build().unwrap();
    let stack = builder.build_service().unwrap();
    let request = pool
        .get("http://a.test/x?key=hunter2")
        .header("x-vault", "hunter2");
    let client = pool.host_client("http://a.test/x?key=hunter2").unwrap();
    for shown in [
        format!("{pool:?}"),
        format!("{stack:?}"),
        format!("{request:?}"),
        format!("{client:?}"),
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
