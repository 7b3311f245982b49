//! Acquiring: the request waits in its origin's queue.

use standpipe_core::{ErrorKind, RequestSent};
use standpipe_test::memory::Network;

use crate::support::{A, Polled, accept, answer_to, echo, fetch, get, over, send, settle, stats};

/// CAN-02
#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_passes_its_grant_on() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).max_idle_per_host(1);
    let transport = transport.max_connections_per_host(1).build().unwrap();
    let first = send(&transport, get("http://a.test/first"));
    let mut peer = accept(&listener).await;
    let granted = Polled::waiting(&transport, get("http://a.test/granted"));
    let next = send(&transport, get("http://a.test/next"));
    echo(&mut peer).await;
    answer_to(first).await.unwrap();
    // The connection is back, and has been given to the head of the queue, who does not look.
    settle().await;
    assert_eq!(stats(&transport).idle, 0);
    drop(granted);
    assert_eq!(echo(&mut peer).await, "/next");
    assert_eq!(answer_to(next).await.unwrap(), "/next");
    assert_eq!(network.dials(), 1);
}

/// CAN-01
#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_leaves_the_queue() {
    let network = Network::new();
    let _hold = network.hold_dials();
    let transport = over(&network).build().unwrap();
    let waiting = Polled::waiting(&transport, get(A));
    assert_eq!(stats(&transport).waiting, 1);
    drop(waiting);
    assert_eq!(stats(&transport).waiting, 0);
}

/// CAN-03
#[tokio::test(start_paused = true)]
async fn a_dial_outlives_the_request_that_wanted_it() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let hold = network.hold_dials();
    let transport = over(&network).build().unwrap();
    let cancelled = Polled::waiting(&transport, get(A));
    hold.arrived(1).await;
    drop(cancelled);
    hold.release(1);
    let mut peer = accept(&listener).await;
    settle().await;
    assert_eq!(stats(&transport).idle, 1);
    let answer = tokio::spawn({
        let transport = transport.clone();
        async move { fetch(&transport, get("http://a.test/later")).await }
    });
    echo(&mut peer).await;
    assert_eq!(answer.await.unwrap().unwrap(), "/later");
    assert_eq!(network.dials(), 1);
}

/// STALE-10
#[tokio::test(start_paused = true)]
async fn a_request_that_got_no_connection_was_not_sent() {
    let network = Network::new();
    let transport = over(&network).build().unwrap();
    let error = fetch(&transport, get(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(error.request_sent(), RequestSent::No);
    assert!(!error.calls_for_resend());
}

/// A waiter holds a request, and nobody the lease: what is free first serves the head.
///
/// LIM-08
#[tokio::test(start_paused = true)]
async fn a_connection_that_comes_back_serves_the_waiter_before_its_own_dial() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let first = send(&transport, get("http://a.test/first"));
    let mut peer = accept(&listener).await;
    let hold = network.hold_dials();
    let second = send(&transport, get("http://a.test/second"));
    hold.arrived(1).await;
    echo(&mut peer).await;
    echo(&mut peer).await;
    assert_eq!(answer_to(first).await.unwrap(), "/first");
    assert_eq!(answer_to(second).await.unwrap(), "/second");
    assert_eq!(hold.waiting(), 1);
    drop(hold);
    settle().await;
    let stats = stats(&transport);
    assert_eq!((stats.idle, stats.created), (2, 2), "the dial is not lost");
}
