//! GOAWAY: what it lets finish, and what goes elsewhere.

use standpipe_core::{ErrorKind, RequestSent};
use standpipe_test::h2peer::code;

use crate::support::{answer_to, failure_of, settle, stats};
use crate::wire::{Wire, assert_untouched};

/// Streams that are open for ever, in the first of two GOAWAYs.
const ALL: u32 = 0x7fff_ffff;

/// H2-03
#[tokio::test(start_paused = true)]
async fn streams_up_to_the_last_one_finish_and_those_beyond_were_not_touched() {
    let wire = Wire::new();
    let (mut peer, mut requests) = wire.busy(3).await;
    let (_, excluded) = requests.pop().unwrap();
    let last = requests[1].0;
    peer.go_away(last, code::NO_ERROR).await.unwrap();
    assert_untouched(&failure_of(excluded).await);
    for (stream, sent) in requests {
        assert!(!sent.is_finished());
        peer.respond(stream, format!("of {stream}")).await.unwrap();
        assert_eq!(answer_to(sent).await.unwrap(), format!("of {stream}"));
    }
    // Nothing is left on it, so it ends.
    peer.closed().await;
    wire.quiet().await;
}

/// H2-03
#[tokio::test(start_paused = true)]
async fn after_a_goaway_no_stream_is_begun_on_that_connection() {
    let wire = Wire::new();
    let (mut peer, requests) = wire.busy(1).await;
    let (stream, sent) = requests.into_iter().next().unwrap();
    peer.go_away(stream, code::NO_ERROR).await.unwrap();
    settle().await;
    wire.assert_goes_elsewhere().await;
    peer.respond(stream, "late").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "late");
}

/// H2-03: where the limit allows no other connection before this one has drained, the request waits.
#[tokio::test(start_paused = true)]
async fn a_request_waits_for_the_connection_that_drains_where_there_may_be_no_other() {
    let wire = Wire::with(|b| b.max_connections_per_host(1).max_idle_per_host(1));
    let (mut peer, requests) = wire.busy(1).await;
    let (stream, sent) = requests.into_iter().next().unwrap();
    peer.go_away(stream, code::NO_ERROR).await.unwrap();
    settle().await;
    let waiting = wire.get();
    settle().await;
    assert_eq!(wire.network.dials(), 1);
    peer.respond(stream, "late").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "late");
    let mut peer = wire.accept(&[]).await;
    let stream = peer.request().await.unwrap();
    peer.respond(stream, "after").await.unwrap();
    assert_eq!(answer_to(waiting).await.unwrap(), "after");
    assert_eq!(wire.network.peak_connections(), 1);
}

/// H2-03
#[tokio::test(start_paused = true)]
async fn a_goaway_on_a_connection_that_idles_takes_it_out_of_the_pool() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    assert_eq!(stats(&wire.transport).idle, 1);
    peer.go_away(1, code::NO_ERROR).await.unwrap();
    settle().await;
    assert_eq!(stats(&wire.transport).idle, 0);
    peer.closed().await;
    wire.assert_goes_elsewhere().await;
}

/// H2-04
#[tokio::test(start_paused = true)]
async fn a_goaway_in_two_steps_loses_nothing() {
    let wire = Wire::new();
    let (mut peer, requests) = wire.busy(2).await;
    peer.go_away(ALL, code::NO_ERROR).await.unwrap();
    settle().await;
    assert!(requests.iter().all(|(_, sent)| !sent.is_finished()));
    wire.assert_goes_elsewhere().await;
    let last = requests[1].0;
    peer.go_away(last, code::NO_ERROR).await.unwrap();
    settle().await;
    for (stream, sent) in requests {
        peer.respond(stream, "finished").await.unwrap();
        assert_eq!(answer_to(sent).await.unwrap(), "finished");
    }
    peer.closed().await;
}

/// H2-04: a stream that was on its way when the first step was told is excluded by the second.
#[tokio::test(start_paused = true)]
async fn what_the_second_step_excludes_was_not_touched() {
    let wire = Wire::new();
    let (mut peer, mut requests) = wire.busy(2).await;
    peer.go_away(ALL, code::NO_ERROR).await.unwrap();
    let (_, excluded) = requests.pop().unwrap();
    let (stream, sent) = requests.pop().unwrap();
    peer.go_away(stream, code::NO_ERROR).await.unwrap();
    assert_untouched(&failure_of(excluded).await);
    peer.respond(stream, "finished").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "finished");
}

/// H2-05
#[tokio::test(start_paused = true)]
async fn a_goaway_with_an_error_leaves_those_beyond_untouched_and_the_others_open() {
    let wire = Wire::new();
    let (mut peer, mut requests) = wire.busy(2).await;
    let (_, excluded) = requests.pop().unwrap();
    let (stream, doubtful) = requests.pop().unwrap();
    peer.go_away(stream, code::INTERNAL_ERROR).await.unwrap();
    assert_untouched(&failure_of(excluded).await);
    drop(peer);
    let error = failure_of(doubtful).await;
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!(error.request_sent(), RequestSent::Maybe);
    wire.assert_goes_elsewhere().await;
}

/// H2-05: a server that sends everybody away.
#[tokio::test(start_paused = true)]
async fn a_server_that_always_goes_away_is_dialled_once_for_each_request() {
    let wire = Wire::new();
    for n in 1..=10 {
        let sent = wire.get();
        let mut peer = wire.accept(&[]).await;
        peer.request().await.unwrap();
        peer.go_away(0, code::INTERNAL_ERROR).await.unwrap();
        let error = failure_of(sent).await;
        assert_eq!(error.request_sent(), RequestSent::No, "{error:?}");
        drop(peer);
        settle().await;
        assert_eq!(wire.network.dials(), n);
    }
    wire.quiet().await;
    wire.assert_goes_elsewhere().await;
}

/// H2-06
#[tokio::test(start_paused = true)]
async fn a_goaway_before_the_first_stream_is_a_request_not_sent_and_no_loop() {
    let wire = Wire::new();
    for n in 1..=5 {
        let sent = wire.get();
        let mut peer = wire.accept(&[]).await;
        peer.go_away(0, code::NO_ERROR).await.unwrap();
        let error = failure_of(sent).await;
        assert_eq!(error.request_sent(), RequestSent::No, "{error:?}");
        peer.closed().await;
        settle().await;
        assert_eq!(wire.network.dials(), n);
    }
    wire.quiet().await;
    wire.assert_goes_elsewhere().await;
}

/// H2-06: several that wait for the one connection.
#[tokio::test(start_paused = true)]
async fn a_goaway_before_the_first_stream_fails_nobody_who_can_be_served_elsewhere() {
    let wire = Wire::new();
    let sent: Vec<_> = (0..5).map(|_| wire.get()).collect();
    let mut peer = wire.accept(&[]).await;
    peer.go_away(0, code::NO_ERROR).await.unwrap();
    let mut next = wire.accept(&[]).await;
    tokio::spawn(async move {
        while let Ok(stream) = next.request().await {
            next.respond(stream, "served").await.unwrap();
        }
    });
    let mut served = 0;
    for sent in sent {
        match answer_to(sent).await {
            Ok(body) => {
                assert_eq!(body, "served");
                served += 1;
            }
            Err(error) => assert_untouched(&error),
        }
    }
    assert!(served >= 4, "{served} of 5: the first alone was on its way");
    assert_eq!(wire.network.dials(), 2);
}
