//! Rate limits, as a pool has them: one for each origin.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use standpipe::{
    Error, ErrorKind, HostConfig, Origin, Quota, RateLimitConfig, RateLimitEvent, Settle,
};
use standpipe_core::sync::Mutex;
use standpipe_test::memory::Network;
use tokio::time::Instant;

use crate::per_minute;
use crate::support::{URL, echo_on, on, peer, pool_and_listener, secs, settle, spawn_get};

async fn status(
    sent: impl Future<Output = Result<standpipe::Response, Error>>,
) -> Result<u16, Error> {
    sent.await.map(|response| response.status().as_u16())
}

#[tokio::test(start_paused = true)]
async fn a_host_has_a_quota_and_the_others_have_none() {
    let network = Network::new();
    let _servers = ["a.test:80", "b.test:80"].map(|address| echo_on(&network, address));
    let limited = HostConfig {
        rate_limit: standpipe::Setting::Set(per_minute(2)),
        ..HostConfig::default()
    };
    let pool = on(&network).host("a.test", limited).build().unwrap();
    let begun = Instant::now();
    for _ in 0..20 {
        status(pool.get("http://b.test/").send()).await.unwrap();
    }
    for _ in 0..2 {
        status(pool.get(URL).send()).await.unwrap();
    }
    assert!(begun.elapsed().is_zero());
    // The third waits for its turn: half a minute.
    status(pool.get(URL).send()).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 30);
    // One that may not wait so long is told so at once, and when to come again.
    let refused = pool.get(URL).timeout(secs(5)).send().await.unwrap_err();
    assert!(refused.is_rate_limited(), "{refused}");
    assert!(refused.retry_after().unwrap() > secs(20));
    assert_eq!(refused.origin().unwrap().as_str(), "http://a.test");
    assert_eq!(begun.elapsed().as_secs(), 30);

    let stats = pool.stats();
    let limited = |url: &str| {
        let origin = Origin::parse(url).unwrap();
        let known = stats.origins.iter().find(|known| known.origin == origin);
        known.unwrap().rate_limit.clone()
    };
    let limiter = limited(URL).unwrap();
    assert_eq!((limiter.waited, limiter.rejected), (1, 1));
    assert_eq!(limited("http://b.test/"), None);
    let metrics = pool.host_metrics("a.test").unwrap().figures.limiter;
    assert_eq!((metrics.waited, metrics.rejected), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn tokens_are_counted_by_a_function_by_the_request_and_by_the_answer() {
    let network = Network::new();
    let _server = echo_on(&network, "a.test:80");
    let thousand = Quota::per_minute(NonZeroU32::new(1_000).unwrap());
    let config = RateLimitConfig {
        cost: vec![thousand],
        ..RateLimitConfig::default()
    };
    let pool = on(&network)
        .rate_limit(config)
        .request_cost(|origin, request| {
            assert_eq!(origin.host(), "a.test");
            request.uri().path().len() as u32 * 100
        })
        .build()
        .unwrap();
    let available = || {
        let origin = Origin::parse(URL).unwrap();
        pool.rate_limiter(&origin).unwrap().stats().available
    };
    status(pool.get(URL).send()).await.unwrap();
    assert_eq!(available(), [900]);
    status(pool.get(URL).cost(400).send()).await.unwrap();
    assert_eq!(available(), [500]);
    let response = pool.get(URL).cost(400).send().await.unwrap();
    assert_eq!(available(), [100]);
    let settle = response.extensions().get::<Settle>().unwrap();
    settle.settle(150);
    assert_eq!(available(), [350]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_server_asks_for_holds_for_all_and_is_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let (_network, listener, pool) = pool_and_listener(|pool| {
        pool.rate_limit(RateLimitConfig::default())
            .without_retry()
            .on_rate_limit(move |origin, event| {
                tell.lock().push((origin.host().to_owned(), *event));
            })
    });
    let first = spawn_get(&pool, URL);
    let mut server = peer(&listener).await;
    server.read_head().await.unwrap();
    let answer = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\ncontent-length: 0\r\n\r\n";
    server.write(answer).await.unwrap();
    first.await.unwrap().unwrap();

    let begun = Instant::now();
    let second = spawn_get(&pool, URL);
    server.read_head().await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 3);
    server.respond("200 OK", "now").await.unwrap();
    assert_eq!(second.await.unwrap().unwrap(), "now");
    let told = told.lock().clone();
    assert!(told.iter().all(|(host, _)| host == "a.test"));
    let events: Vec<_> = told.into_iter().map(|(_, event)| event).collect();
    let [RateLimitEvent::Paused(pause), RateLimitEvent::Waits(_)] = events[..] else {
        panic!("a pause and a wait, not {events:?}");
    };
    assert_eq!(pause, secs(3));
    let limiter = pool.host_metrics("a.test").unwrap().figures.limiter;
    assert_eq!((limiter.pauses, limiter.waited), (1, 1));
}

#[tokio::test]
async fn so_many_requests_are_under_way_up_to_the_ends_of_their_bodies() {
    let config = RateLimitConfig {
        max_concurrent: NonZeroUsize::new(1),
        ..RateLimitConfig::default()
    };
    let (_network, listener, pool) = pool_and_listener(|pool| pool.rate_limit(config));
    let first = {
        let request = pool.get(URL);
        tokio::spawn(async move { request.send().await })
    };
    let mut server = peer(&listener).await;
    server.read_head().await.unwrap();
    server
        .write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha")
        .await
        .unwrap();
    let response = first.await.unwrap().unwrap();
    let second = spawn_get(&pool, URL);
    settle().await;
    let stats = pool.stats().origins[0].concurrency.unwrap();
    assert_eq!((stats.limit, stats.in_flight, stats.waiting), (1, 1, 1));

    server.write("lf").await.unwrap();
    assert_eq!(response.text().await.unwrap(), "half");
    server.read_head().await.unwrap();
    server.respond("200 OK", "next").await.unwrap();
    assert_eq!(second.await.unwrap().unwrap(), "next");
    let stats = pool.stats().origins[0].concurrency.unwrap();
    assert_eq!((stats.in_flight, stats.waiting), (0, 0));
}

#[tokio::test]
async fn what_cannot_be_kept_to_is_refused_by_name() {
    let config = RateLimitConfig {
        max_wait: Some(std::time::Duration::ZERO),
        max_waiting: Some(3),
        ..RateLimitConfig::default()
    };
    let pool = standpipe::Pool::builder().rate_limit(config.clone());
    let refused = pool.build().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(
        refused.to_string().contains("rate_limit: max_waiting"),
        "{refused}"
    );
    let host = HostConfig::new().rate_limit(config);
    let refused = standpipe::Pool::builder()
        .host("a.test", host)
        .build()
        .unwrap_err();
    assert!(
        refused.to_string().contains("rate_limit of host a.test"),
        "{refused}"
    );
}
