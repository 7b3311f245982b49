//! What a shutdown does at once.

use std::time::Duration;

use standpipe_core::{ErrorKind, Origin, RequestSent};
use standpipe_test::memory::Network;
use standpipe_transport::CloseReason;
use tokio::time::Instant;

use crate::support::{
    A, B, accept, echoing, failure_of, fetch, get, head_of, over, path, secs, send, settle, stats,
    until,
};

/// DRN-01
#[tokio::test(start_paused = true)]
async fn those_who_wait_are_failed_at_once_and_counted() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .build()
        .unwrap();
    let held = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let waiting = [send(&transport, get(A)), send(&transport, get(A))];
    settle().await;
    let begun = Instant::now();
    let shutdown = transport.shutdown(secs(10));
    for waiting in waiting {
        let error = failure_of(waiting).await;
        assert_eq!(error.kind(), ErrorKind::Shutdown);
        assert_eq!(error.request_sent(), RequestSent::No);
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    peer.respond("200 OK", "").await.unwrap();
    held.await.unwrap().unwrap();
    let report = shutdown.await;
    assert_eq!((report.waiting, report.finished, report.cut), (2, 1, 0));
    assert!(report.complete);
}

/// DRN-01
#[tokio::test(start_paused = true)]
async fn new_requests_are_refused_to_known_origins_and_to_new_ones() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let transport = over(&network).build().unwrap();
    fetch(&transport, get(A)).await.unwrap();
    assert_eq!(transport.close(), 0);
    for url in [A, B] {
        let error = head_of(&transport, get(url)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shutdown);
        assert_eq!(error.request_sent(), RequestSent::No);
    }
    let warm = transport.warm(&Origin::parse(A).unwrap(), 1).await;
    assert_eq!(warm.unwrap_err().kind(), ErrorKind::Shutdown);
    assert_eq!(network.dials(), 1);
}

/// DRN-01: though only a connection that is free now would have done.
#[tokio::test(start_paused = true)]
async fn a_request_that_would_not_wait_is_refused_as_the_others_are() {
    let network = Network::new();
    let transport = over(&network)
        .acquire_timeout(Some(Duration::ZERO))
        .build()
        .unwrap();
    transport.close();
    let error = head_of(&transport, get(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shutdown);
}

/// DRN-01
#[tokio::test(start_paused = true)]
async fn what_idles_is_closed_at_once() {
    let network = Network::new();
    let _servers = ["a.test:80", "b.test:80"].map(|host| echoing().start_on(network.listen(host)));
    let transport = over(&network).build().unwrap();
    fetch(&transport, get(A)).await.unwrap();
    fetch(&transport, get(B)).await.unwrap();
    let begun = Instant::now();
    let report = transport.shutdown(secs(10)).await;
    assert_eq!((report.waiting, report.finished, report.cut), (0, 0, 0));
    assert!(report.complete);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(network.open_connections(), 0);
    assert_eq!(stats(&transport).closed.of(CloseReason::Shutdown), 2);
}

/// DRN-03
#[tokio::test(start_paused = true)]
async fn a_dial_under_way_is_given_up() {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let hold = network.hold_dials();
    let transport = over(&network).build().unwrap();
    let waiting = send(&transport, get(A));
    hold.arrived(1).await;
    let begun = Instant::now();
    let report = transport.shutdown(secs(10)).await;
    assert_eq!(failure_of(waiting).await.kind(), ErrorKind::Shutdown);
    assert_eq!((report.waiting, report.finished, report.cut), (1, 0, 0));
    assert!(report.complete);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(hold.waiting(), 0);
    drop(hold);
    settle().await;
    let now = stats(&transport);
    assert_eq!((now.dialing, now.active, now.idle), (0, 0, 0));
    assert_eq!(network.open_connections(), 0);
}

/// DRN-03
#[tokio::test(start_paused = true)]
async fn a_transport_that_was_never_used_is_down_at_once() {
    let transport = over(&Network::new()).build().unwrap();
    let begun = Instant::now();
    let report = transport.shutdown(Duration::MAX).await;
    assert!(report.complete);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

/// DRN-03
#[tokio::test(start_paused = true)]
async fn it_holds_for_all_clones() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let transport = over(&network).build().unwrap();
    fetch(&transport, get(A)).await.unwrap();
    assert!(transport.clone().shutdown(secs(1)).await.complete);
    let error = head_of(&transport, get(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shutdown);
    until(|| network.open_connections() == 0).await;
}

/// DRN-03: the pause before a dial that follows a failed one ends as well.
#[tokio::test(start_paused = true)]
async fn a_dial_that_pauses_is_given_up() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let held = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    network.fail_next_dials(1, std::io::ErrorKind::ConnectionRefused);
    let waiting = send(&transport, get(A));
    until(|| stats(&transport).dial_failures == 1).await;
    settle().await;
    assert_eq!(stats(&transport).dialing, 1);
    held.abort();
    let begun = Instant::now();
    let report = transport.shutdown(secs(10)).await;
    assert_eq!(failure_of(waiting).await.kind(), ErrorKind::Shutdown);
    assert_eq!((report.waiting, report.cut, report.complete), (1, 0, true));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(network.dials(), 2);
}
