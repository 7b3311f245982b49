//! A pool that is shut down.

mod support;

use std::num::NonZeroU32;

use standpipe::{ErrorKind, HostConfig, RateLimitConfig};
use standpipe_test::memory::Network;
use support::{URL, one_connection_on, peer, pool_and_listener, secs, settle, spawn_get};
use tokio::time::Instant;

/// DRN-01
#[tokio::test(start_paused = true)]
async fn what_waits_anywhere_is_failed_at_once_and_what_is_under_way_ends_in_its_time() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let _limited = network.listen("limited.test:80");
    let one = RateLimitConfig::per_minute(NonZeroU32::MIN);
    let pool = one_connection_on(&network)
        .without_circuit_breaker()
        .host("limited.test", HostConfig::new().rate_limit(one))
        .build()
        .unwrap();
    let under_way = spawn_get(&pool, URL);
    let mut server = peer(&listener).await;
    server.read_head().await.unwrap();
    let for_connection = spawn_get(&pool, URL);
    let _pays = spawn_get(&pool, "http://limited.test/");
    settle().await;
    let for_limit = spawn_get(&pool, "http://limited.test/");
    // Nobody listens there: it backs off.
    let for_retry = spawn_get(&pool, "http://nobody.test/");
    settle().await;

    let begun = Instant::now();
    let shutdown = tokio::spawn(pool.shutdown(secs(10)));
    for (what, waiting) in [
        ("a connection", for_connection),
        ("a limit", for_limit),
        ("a retry", for_retry),
    ] {
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Shutdown,
            "waits for {what}: {error}"
        );
    }
    let late = pool.get(URL).send().await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Shutdown);
    assert!(pool.is_closed());
    assert!(begun.elapsed().is_zero());
    server.respond("200 OK", "in time").await.unwrap();
    assert_eq!(under_way.await.unwrap().unwrap(), "in time");
    let report = shutdown.await.unwrap();
    assert_eq!((report.waiting, report.finished, report.cut), (3, 1, 1));
    assert!(report.complete);
    // The one that had no answer yet was cut with the end of the grace.
    assert_eq!(begun.elapsed().as_secs(), 10);
}

/// DRN-03
#[tokio::test(start_paused = true)]
async fn a_pool_may_be_shut_down_twice_and_the_future_dropped() {
    let (network, listener, pool) = pool_and_listener(|pool| pool);
    let sent = spawn_get(&pool, URL);
    let mut server = peer(&listener).await;
    server.read_head().await.unwrap();
    drop(pool.shutdown(secs(1)));
    let again = tokio::spawn(pool.shutdown(secs(100)));
    server.respond("200 OK", "in time").await.unwrap();
    assert_eq!(sent.await.unwrap().unwrap(), "in time");
    assert!(again.await.unwrap().complete);
    network.all_closed().await;
}

#[tokio::test]
async fn a_pool_over_another_service_refuses_what_comes_after_its_shutdown() {
    let bottom = tower::service_fn(|_: http::Request<standpipe::Body>| async {
        Ok::<_, standpipe::Error>(http::Response::new(standpipe::Body::empty()))
    });
    let pool = standpipe::Pool::builder()
        .transport(bottom)
        .build()
        .unwrap();
    pool.get(URL).send().await.unwrap();
    assert_eq!(pool.warm(URL, 3).await.unwrap(), 0);
    pool.shutdown(secs(1)).await;
    let late = pool.get(URL).send().await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Shutdown);
}

#[tokio::test]
async fn connections_can_be_there_before_the_first_request() {
    let (network, _listener, pool) = pool_and_listener(|pool| pool);
    assert_eq!(pool.warm(URL, 2).await.unwrap(), 2);
    assert_eq!((network.dials(), pool.stats().total.idle), (2, 2));
    assert_eq!(
        pool.warm("no url", 2).await.unwrap_err().kind(),
        ErrorKind::InvalidRequest
    );
}
