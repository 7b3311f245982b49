//! Connections that may be dead, and those that are merely slow or old.

use std::time::Duration;

use standpipe_core::{Body, Deadline, ErrorKind};
use standpipe_test::h2peer::{flag, kind};
use standpipe_transport::Http2Config;

use crate::support::{A, answer_to, failure_of, get, pass, secs, send, settle, stats};
use crate::wire::Wire;

fn pinging(interval: u64, timeout: u64, while_idle: bool) -> Http2Config {
    let mut config = Http2Config::default();
    config.keep_alive_interval = Some(secs(interval));
    config.keep_alive_timeout = secs(timeout);
    config.keep_alive_while_idle = while_idle;
    config
}

fn due(within: Duration) -> http::Request<Body> {
    let mut request = get(A);
    Deadline::after(within).attach(&mut request);
    request
}

/// H2-16
#[tokio::test(start_paused = true)]
async fn a_ping_that_nobody_answers_ends_the_streams_and_the_connection() {
    let wire = Wire::with(|b| b.http2(pinging(10, 5, false)));
    let (mut peer, requests) = wire.busy(2).await;
    pass(secs(10)).await;
    assert_eq!(peer.frame().await.unwrap().kind, kind::PING);
    assert!(requests.iter().all(|(_, sent)| !sent.is_finished()));
    pass(secs(5)).await;
    for (_, sent) in requests {
        let error = failure_of(sent).await;
        assert_eq!(error.kind(), ErrorKind::ConnectionClosed, "{error:?}");
        assert!(error.calls_for_resend(), "{error:?}");
    }
    wire.quiet().await;
    assert_eq!(stats(&wire.transport).idle, 0);
    wire.assert_goes_elsewhere().await;
}

/// H2-16
#[tokio::test(start_paused = true)]
async fn a_ping_that_is_answered_keeps_the_connection() {
    let wire = Wire::with(|b| b.http2(pinging(10, 5, false)).response_head_timeout(None));
    let (mut peer, requests) = wire.busy(1).await;
    for _ in 0..20 {
        pass(secs(10)).await;
        let ping = peer.frame().await.unwrap();
        assert_eq!(ping.kind, kind::PING);
        peer.write(kind::PING, flag::ACK, 0, ping.payload)
            .await
            .unwrap();
        settle().await;
    }
    for (stream, sent) in requests {
        peer.respond(stream, "patient").await.unwrap();
        assert_eq!(answer_to(sent).await.unwrap(), "patient");
    }
}

/// H2-16: servers of gRPC take frequent pings for an attack, so none is sent unless asked for, and none
/// without a stream.
#[tokio::test(start_paused = true)]
async fn no_ping_is_sent_by_default_nor_while_idle() {
    for config in [Http2Config::default(), pinging(10, 5, false)] {
        let wire = Wire::with(|b| b.http2(config).idle_timeout(None));
        let mut peer = wire.used(&[]).await;
        for _ in 0..100 {
            pass(secs(10)).await;
        }
        drop(wire.transport);
        let frames = peer.closed().await;
        let unasked = |frame: &&standpipe_test::h2peer::Frame| {
            frame.kind == kind::PING && !frame.has(flag::ACK)
        };
        assert_eq!(frames.iter().filter(unasked).count(), 0, "{frames:?}");
    }
}

/// H2-16
#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_is_dead_is_found_by_its_ping_where_that_is_switched_on() {
    let wire = Wire::with(|b| b.http2(pinging(10, 5, true)).idle_timeout(None));
    let _peer = wire.used(&[]).await;
    assert_eq!(stats(&wire.transport).idle, 1);
    pass(secs(10)).await;
    pass(secs(5)).await;
    assert_eq!(stats(&wire.transport).idle, 0);
    wire.assert_goes_elsewhere().await;
}

/// H2-17
#[tokio::test(start_paused = true)]
async fn after_a_timeout_a_silent_connection_is_not_used_until_bytes_arrive() {
    let wire = Wire::new();
    let (mut peer, mut requests) = wire.busy(1).await;
    let error = failure_of(send(&wire.transport, due(secs(5)))).await;
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    let other = wire.assert_goes_elsewhere().await;
    drop(other);
    settle().await;
    // Any byte is a sign of life.
    let (stream, sent) = requests.pop().unwrap();
    peer.respond(stream, "alive").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "alive");
    settle().await;
    let next = wire.get();
    peer.request().await.unwrap();
    let stream = peer.request().await.unwrap();
    peer.respond(stream, "again").await.unwrap();
    assert_eq!(answer_to(next).await.unwrap(), "again");
}

/// H2-17
#[tokio::test(start_paused = true)]
async fn a_connection_silent_for_the_interval_with_streams_open_is_not_used() {
    let wire = Wire::with(|b| {
        b.http2(pinging(10, 1000, false))
            .response_head_timeout(None)
    });
    let (_peer, _requests) = wire.busy(1).await;
    pass(secs(11)).await;
    wire.assert_goes_elsewhere().await;
}

/// H2-17: a stream may wait for as long as it likes while the peer answers PINGs.
#[tokio::test(start_paused = true)]
async fn a_long_poll_on_a_connection_that_is_alive_keeps_nobody_from_it() {
    let wire = Wire::with(|b| {
        b.http2(pinging(10, 1000, false))
            .response_head_timeout(None)
    });
    let (mut peer, _requests) = wire.busy(1).await;
    for _ in 0..10 {
        pass(secs(10)).await;
        let ping = peer.frame().await.unwrap();
        assert_eq!(ping.kind, kind::PING);
        peer.write(kind::PING, flag::ACK, 0, ping.payload)
            .await
            .unwrap();
        settle().await;
        pass(Duration::from_millis(900)).await;
        wire.assert_goes_here(&mut peer).await;
    }
}

/// H2-17: what was written before a connection idled asked for no answer.
#[tokio::test(start_paused = true)]
async fn a_connection_that_idled_for_long_is_not_taken_for_a_silent_one() {
    let wire = Wire::with(|b| {
        b.http2(pinging(10, 1000, false))
            .response_head_timeout(None)
            .idle_timeout(None)
    });
    let mut peer = wire.used(&[]).await;
    for idle in 1..60 {
        pass(secs(idle)).await;
        let first = wire.get();
        let stream = peer.request().await.unwrap();
        pass(secs(1)).await;
        wire.assert_goes_here(&mut peer).await;
        peer.respond(stream, "first").await.unwrap();
        answer_to(first).await.unwrap();
        settle().await;
    }
}

/// H2-17
#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_used_again_when_bytes_arrive() {
    let wire = Wire::with(|b| {
        b.http2(pinging(10, 1000, false))
            .response_head_timeout(None)
            .max_connections_per_host(1)
            .max_idle_per_host(1)
    });
    let (mut peer, mut requests) = wire.busy(1).await;
    pass(secs(11)).await;
    let waiting = wire.get();
    pass(secs(5)).await;
    assert_eq!(stats(&wire.transport).waiting, 1);
    let (stream, sent) = requests.pop().unwrap();
    peer.respond(stream, "late").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "late");
    let stream = peer.request().await.unwrap();
    peer.respond(stream, "alive").await.unwrap();
    assert_eq!(answer_to(waiting).await.unwrap(), "alive");
}

/// H2-17: a connection that may be dead does not take the place of one that works.
#[tokio::test(start_paused = true)]
async fn a_connection_that_may_be_dead_makes_room_where_it_is_the_only_one_allowed() {
    let wire = Wire::with(|b| b.max_connections_per_host(1).max_idle_per_host(1));
    let _blackhole = wire.used(&[]).await;
    let error = failure_of(send(&wire.transport, due(secs(5)))).await;
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    settle().await;
    wire.assert_goes_elsewhere().await;
    assert_eq!(wire.network.peak_connections(), 1);
}

/// H2-18
#[tokio::test(start_paused = true)]
async fn one_stream_that_times_out_leaves_the_others_as_they_are() {
    let wire = Wire::new();
    let (mut peer, requests) = wire.busy(2).await;
    let slow = send(&wire.transport, due(secs(5)));
    let stream = peer.request().await.unwrap();
    let error = failure_of(slow).await;
    assert!(error.is_timeout());
    let reset = peer.next(kind::RST_STREAM).await.unwrap();
    assert_eq!(reset.stream, stream);
    for (stream, sent) in requests {
        peer.respond(stream, "in time").await.unwrap();
        assert_eq!(answer_to(sent).await.unwrap(), "in time");
    }
    settle().await;
    wire.assert_goes_here(&mut peer).await;
}

/// H2-25
#[tokio::test(start_paused = true)]
async fn a_connection_too_old_drains_its_stream_and_takes_no_other() {
    let wire = Wire::with(|b| b.max_lifetime(Some(secs(100))).response_head_timeout(None));
    let (mut peer, requests) = wire.busy(1).await;
    pass(secs(115)).await;
    let mut other = wire.assert_goes_elsewhere().await;
    for (stream, sent) in requests {
        peer.respond(stream, "drained").await.unwrap();
        assert_eq!(answer_to(sent).await.unwrap(), "drained");
    }
    peer.closed().await;
    wire.assert_goes_here(&mut other).await;
}

/// H2-25
#[tokio::test(start_paused = true)]
async fn the_idle_timeout_does_not_count_while_a_stream_is_open() {
    let wire = Wire::with(|b| b.idle_timeout(Some(secs(10))).response_head_timeout(None));
    let (mut peer, requests) = wire.busy(1).await;
    pass(secs(11)).await;
    wire.assert_goes_here(&mut peer).await;
    pass(secs(11)).await;
    for (stream, sent) in requests {
        peer.respond(stream, "late").await.unwrap();
        assert_eq!(answer_to(sent).await.unwrap(), "late");
    }
    pass(secs(10)).await;
    assert_eq!(stats(&wire.transport).idle, 0);
    peer.closed().await;
}
