//! Streams that we give up.

use std::time::Duration;

use standpipe_test::h2peer::setting::MAX_CONCURRENT_STREAMS;
use standpipe_test::h2peer::{code, kind};

use crate::support::{answer_to, pass, secs, settle, stats};
use crate::wire::{Peer, Wire};

/// H2-14
#[tokio::test(start_paused = true)]
async fn cancelled_requests_do_not_flood_a_server_that_has_not_read_yet() {
    let wire = Wire::with(|b| b.max_connections_per_host(1).max_idle_per_host(1));
    let mut peer = wire.used(&[(MAX_CONCURRENT_STREAMS, 10)]).await;
    for _ in 0..10 {
        let sent: Vec<_> = (0..10).map(|_| wire.get()).collect();
        settle().await;
        sent.iter().for_each(tokio::task::JoinHandle::abort);
        settle().await;
    }
    let mut begun = 0;
    while let Ok(frame) = tokio::time::timeout(secs(1), peer.frame()).await {
        begun += usize::from(frame.unwrap().kind == kind::HEADERS);
    }
    assert!(begun <= 10, "{begun} streams of 10 allowed");
}

/// H2-14
#[tokio::test(start_paused = true)]
async fn a_thousand_cancelled_requests_cost_no_connection_and_leave_no_stream() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    for _ in 0..1000 {
        let sent = wire.get();
        let stream = peer.request().await.unwrap();
        sent.abort();
        let reset = peer.next(kind::RST_STREAM).await.unwrap();
        assert_eq!((reset.stream, reset.number()), (stream, code::CANCEL));
    }
    wire.quiet().await;
    assert_eq!(stats(&wire.transport).created, 1);
    wire.assert_goes_here(&mut peer).await;
}

/// One connection on which the peer allows two streams, both of which were cancelled.
async fn cancelled() -> (Wire, Peer) {
    let wire = Wire::with(|b| b.max_connections_per_host(1).max_idle_per_host(1));
    let mut peer = wire.used(&[(MAX_CONCURRENT_STREAMS, 2)]).await;
    let sent = [wire.get(), wire.get()];
    for _ in &sent {
        peer.request().await.unwrap();
    }
    sent.iter().for_each(tokio::task::JoinHandle::abort);
    settle().await;
    let now = stats(&wire.transport);
    assert_eq!((now.active, now.idle, now.streams), (0, 1, 0));
    (wire, peer)
}

/// H2-14
#[tokio::test(start_paused = true)]
async fn the_room_of_cancelled_streams_is_given_out_when_the_peer_is_heard() {
    let (wire, mut peer) = cancelled().await;
    let next = wire.get();
    settle().await;
    assert_eq!(stats(&wire.transport).waiting, 1);
    peer.write(kind::PING, 0, 0, [0; 8]).await.unwrap();
    settle().await;
    assert_eq!(stats(&wire.transport).waiting, 0);
    let stream = peer.request().await.unwrap();
    peer.respond(stream, "next").await.unwrap();
    assert_eq!(answer_to(next).await.unwrap(), "next");
}

/// H2-14
#[tokio::test(start_paused = true)]
async fn the_room_of_cancelled_streams_is_given_out_after_a_while() {
    let (wire, mut peer) = cancelled().await;
    for _ in 0..3 {
        let next = wire.get();
        pass(Duration::from_millis(49)).await;
        assert_eq!(stats(&wire.transport).waiting, 1);
        pass(Duration::from_millis(1)).await;
        assert_eq!(stats(&wire.transport).waiting, 0);
        peer.request().await.unwrap();
        let other = wire.get();
        peer.request().await.unwrap();
        next.abort();
        other.abort();
        settle().await;
    }
}

/// H2-14: whatever was cancelled in between.
#[tokio::test(start_paused = true)]
async fn each_while_begins_with_the_first_stream_that_is_cancelled() {
    let wire = Wire::with(|b| b.max_connections_per_host(1).max_idle_per_host(1));
    let mut peer = wire.used(&[(MAX_CONCURRENT_STREAMS, 2)]).await;
    for _ in 0..3 {
        for _ in 0..2 {
            let sent = wire.get();
            peer.request().await.unwrap();
            sent.abort();
            pass(Duration::from_millis(25)).await;
        }
        settle().await;
    }
    assert_eq!(stats(&wire.transport).created, 1);
}
