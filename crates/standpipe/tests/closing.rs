//! A pool that is shut down.

mod support;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use standpipe::{Body, Error, ErrorKind, HostConfig, Pool, RateLimitConfig};
use standpipe_test::Gate;
use standpipe_test::memory::Network;
use support::{URL, one_connection_on, peer, pool_and_listener, secs, settle, spawn_get};
use tokio::time::Instant;
use tower::service_fn;

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
    let bottom =
        service_fn(|_: Request<Body>| async { Ok::<_, Error>(Response::new(Body::empty())) });
    let pool = Pool::builder().transport(bottom).build().unwrap();
    pool.get(URL).send().await.unwrap();
    assert_eq!(pool.warm(URL, 3).await.unwrap(), 0);
    pool.shutdown(secs(1)).await;
    let late = pool.get(URL).send().await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Shutdown);
}

/// As with a transport: a request goes out when it is polled, and then it is too late.
#[tokio::test]
async fn a_request_that_is_polled_after_the_shutdown_does_not_reach_another_service() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let pool = Pool::from_service(service_fn(move |_: Request<Body>| {
        counter.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok::<_, Error>(Response::new(Body::empty())))
    }));
    let request = || Request::get(URL).body(Body::empty()).unwrap();
    let (early, late) = (pool.execute(request()), pool.execute(request()));
    early.await.unwrap();
    drop(pool.shutdown(secs(1)));
    let error = late.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shutdown);
    assert_eq!(error.origin().unwrap().host(), "a.test");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

/// What that was called with goes on, up to its next hop.
#[tokio::test]
async fn nothing_goes_on_to_another_service_after_the_shutdown() {
    let gate = Gate::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let (counter, at) = (Arc::clone(&calls), gate.clone());
    let pool = Pool::from_service(service_fn(move |_: Request<Body>| {
        counter.fetch_add(1, Ordering::Relaxed);
        let at = at.clone();
        async move {
            at.wait().await;
            let response = Response::builder().status(302).header("location", "/again");
            Ok::<_, Error>(response.body(Body::empty()).unwrap())
        }
    }));
    let sent = spawn_get(&pool, URL);
    gate.arrived(1).await;
    drop(pool.shutdown(secs(1)));
    gate.open();
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shutdown);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
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
