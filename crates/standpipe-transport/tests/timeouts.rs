//! The timeouts by phase, each with a peer that stalls exactly there.

mod support;

use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use standpipe_core::{Body, Deadline, Error, ErrorKind, Phase, RequestSent};
use standpipe_test::Peer;
use standpipe_test::memory::{Listener, MemoryStream, Network};
use standpipe_transport::{MinThroughput, PhaseTimeouts, Transport, TransportBuilder};
use tokio::time::Instant;

use crate::support::{
    A, Polled, accept, answer_to, echo, echoing, failure_of, fetch, get, over, over_http2, pass,
    path, post, read, secs, send, settle, stats, until,
};

const LIMIT: Duration = Duration::from_secs(7);

/// Without a single timeout.
fn untimed(builder: TransportBuilder) -> TransportBuilder {
    let mut none = PhaseTimeouts::default();
    none.connect = None;
    none.tls = None;
    none.response_head = None;
    builder.timeouts(none).idle_timeout(None)
}

#[track_caller]
fn assert_error(error: &Error, kind: ErrorKind, phase: Phase, sent: RequestSent) {
    assert_eq!(error.kind(), kind);
    assert_eq!(error.phase(), Some(phase));
    assert_eq!(error.request_sent(), sent);
    assert!(error.is_timeout());
    assert_eq!(error.origin().unwrap().host(), "a.test");
}

/// TO-01
#[tokio::test(start_paused = true)]
async fn the_wait_for_a_connection_has_a_limit() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = untimed(over(&network))
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .acquire_timeout(Some(LIMIT))
        .build()
        .unwrap();
    let held = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let begun = Instant::now();
    let error = failure_of(send(&transport, get(A))).await;
    let kind = ErrorKind::AcquireTimeout {
        waited: LIMIT,
        in_use: 1,
        limit: 1,
    };
    assert_error(&error, kind, Phase::Acquire, RequestSent::No);
    assert_eq!(begun.elapsed(), LIMIT);
    assert!(!held.is_finished());
}

/// TO-01
#[tokio::test(start_paused = true)]
async fn connecting_has_a_limit() {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let hold = network.hold_dials();
    let transport = untimed(over(&network)).connect_timeout(Some(LIMIT));
    let transport = transport.build().unwrap();
    let begun = Instant::now();
    let error = failure_of(send(&transport, get(A))).await;
    let kind = ErrorKind::ConnectTimeout;
    assert_error(&error, kind, Phase::Dial, RequestSent::No);
    assert_eq!(begun.elapsed(), LIMIT);
    settle().await;
    assert_eq!((stats(&transport).dialing, hold.waiting()), (0, 0));
}

/// TO-01, TLS-01
#[tokio::test(start_paused = true)]
async fn the_tls_handshake_has_a_limit() {
    let network = Network::new();
    let listener = network.listen("a.test:443");
    let ca = standpipe_test::Ca::new();
    let transport = untimed(over(&network))
        .tls(support::trusting(&ca))
        .tls_timeout(Some(LIMIT))
        .build()
        .unwrap();
    let begun = Instant::now();
    let sent = send(&transport, get("https://a.test/"));
    let mut silent = accept(&listener).await;
    let error = failure_of(sent).await;
    let kind = ErrorKind::TlsTimeout;
    assert_error(&error, kind, Phase::Dial, RequestSent::No);
    assert_eq!(begun.elapsed(), LIMIT);
    silent.closed().await;
    assert!(!silent.surplus().is_empty(), "it had been greeted");
}

/// TO-01
#[tokio::test(start_paused = true)]
async fn the_response_head_has_a_limit() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = untimed(over(&network)).response_head_timeout(Some(LIMIT));
    let transport = transport.build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    let begun = Instant::now();
    path(&mut peer).await;
    // A part of the head is not the head.
    peer.write("HTTP/1.1 200 OK\r\ncontent-").await.unwrap();
    let error = failure_of(sent).await;
    let kind = ErrorKind::ResponseTimeout;
    assert_error(&error, kind, Phase::Exchange, RequestSent::Maybe);
    assert_eq!(begun.elapsed(), LIMIT);
}

/// TO-01
#[tokio::test(start_paused = true)]
async fn the_response_head_over_http2_has_a_limit() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    tokio::spawn(async move {
        let io = listener.accept().await;
        let mut connection = h2::server::handshake(io).await.unwrap();
        let mut unanswered = Vec::new();
        while let Some(Ok(request)) = connection.accept().await {
            unanswered.push(request);
        }
    });
    let transport = untimed(over_http2(&network)).response_head_timeout(Some(LIMIT));
    let transport = transport.build().unwrap();
    let begun = Instant::now();
    let error = failure_of(send(&transport, get(A))).await;
    let kind = ErrorKind::ResponseTimeout;
    assert_error(&error, kind, Phase::Exchange, RequestSent::Maybe);
    assert_eq!(begun.elapsed(), LIMIT);
    assert_eq!(stats(&transport).streams, 0);
}

/// TO-01
#[tokio::test(start_paused = true)]
async fn the_silence_within_a_response_body_has_a_limit() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = untimed(over(&network)).body_idle_timeout(Some(LIMIT));
    let transport = transport.build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbo")
        .await
        .unwrap();
    let mut body = sent.await.unwrap().unwrap().into_body();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "bo");
    let begun = Instant::now();
    let error = body.frame().await.unwrap().unwrap_err();
    let kind = ErrorKind::BodyIdleTimeout;
    assert_error(&error, kind, Phase::Body, RequestSent::Yes);
    assert_eq!(begun.elapsed(), LIMIT);
}

/// TO-04
#[tokio::test(start_paused = true)]
async fn neither_a_trickle_nor_a_slow_reader_is_silence() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = untimed(over(&network)).body_idle_timeout(Some(LIMIT));
    let transport = transport.build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n")
        .await
        .unwrap();
    let body = tokio::spawn(read(sent.await.unwrap().unwrap()));
    for byte in ["0", "1", "2", "3", "4", "5"] {
        pass(LIMIT - Duration::from_millis(1)).await;
        peer.write(byte).await.unwrap();
        settle().await;
    }
    assert_eq!(body.await.unwrap().unwrap(), "012345");

    let sent = send(&transport, get(A));
    path(&mut peer).await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbo")
        .await
        .unwrap();
    let mut body = sent.await.unwrap().unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    peer.write("dy").await.unwrap();
    pass(10 * LIMIT).await;
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "dy");
}

fn at_least(bytes_per_second: u64, grace: Duration) -> Option<MinThroughput> {
    Some(MinThroughput {
        bytes_per_second,
        grace,
    })
}

/// A response of `length` bytes that `transport` was sent none of, and the server's side.
async fn unbegun(
    transport: &Transport,
    listener: &Listener,
    length: usize,
) -> (Body, Peer<MemoryStream>) {
    let sent = send(transport, get(A));
    let mut peer = accept(listener).await;
    path(&mut peer).await;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    peer.write(head).await.unwrap();
    (sent.await.unwrap().unwrap().into_body(), peer)
}

/// TO-05: 19 s of silence at a time, which no clock of silence would mind.
#[tokio::test(start_paused = true)]
async fn a_trickle_is_given_up_after_the_grace_however_often_a_byte_comes() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = untimed(over(&network))
        .body_idle_timeout(Some(secs(20)))
        .body_throughput(Some(MinThroughput::default()));
    let transport = transport.build().unwrap();
    let (body, mut peer) = unbegun(&transport, &listener, 1_000).await;
    let begun = Instant::now();
    let reading = tokio::spawn(body.collect());
    settle().await;
    pass(secs(19)).await;
    peer.write("x").await.unwrap();
    settle().await;
    assert!(!reading.is_finished());
    let error = reading.await.unwrap().map(drop).unwrap_err();
    let kind = ErrorKind::BodyIdleTimeout;
    assert_error(&error, kind, Phase::Body, RequestSent::Yes);
    assert_eq!(begun.elapsed(), secs(20));
    assert!(error.to_string().contains("1 bytes a second"), "{error}");
    peer.closed().await;
}

/// TO-05
#[tokio::test(start_paused = true)]
async fn a_body_that_comes_as_fast_as_it_must_is_read_to_its_end() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = untimed(over(&network)).body_throughput(at_least(10, secs(4)));
    let transport = transport.build().unwrap();
    let (body, mut peer) = unbegun(&transport, &listener, 400).await;
    let begun = Instant::now();
    let reading = tokio::spawn(body.collect());
    settle().await;
    for _ in 0..10 {
        // All of a window's bytes come in its last moment.
        pass(secs(4) - Duration::from_millis(1)).await;
        peer.write([b'x'; 40]).await.unwrap();
        settle().await;
        pass(Duration::from_millis(1)).await;
    }
    let whole = reading.await.unwrap().unwrap().to_bytes();
    assert_eq!((whole.len(), begun.elapsed()), (400, secs(40)));
}

/// TO-05, TO-04
#[tokio::test(start_paused = true)]
async fn whoever_reads_slowly_is_not_held_against_the_peer() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = untimed(over(&network)).body_throughput(at_least(1_000, secs(4)));
    let transport = transport.build().unwrap();
    let (mut body, mut peer) = unbegun(&transport, &listener, 40).await;
    for _ in 0..4 {
        peer.write([b'x'; 10]).await.unwrap();
        pass(secs(100)).await;
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap().len(), 10);
    }
    assert!(body.frame().await.is_none());
}

/// TO-05: the silence has a clock of its own, which goes on while the rate is looked at.
#[tokio::test(start_paused = true)]
async fn the_longest_silence_counts_beside_the_least_rate() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = untimed(over(&network))
        .body_idle_timeout(Some(secs(10)))
        .body_throughput(at_least(1, secs(4)));
    let transport = transport.build().unwrap();
    let (mut body, mut peer) = unbegun(&transport, &listener, 100).await;
    // Enough for the window at hand, not for the next one.
    peer.write([b'x'; 50]).await.unwrap();
    body.frame().await.unwrap().unwrap();
    let begun = Instant::now();
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(begun.elapsed(), secs(8));
    assert!(error.to_string().contains("bytes a second"), "{error}");

    let transport = untimed(over(&network))
        .body_idle_timeout(Some(secs(6)))
        .body_throughput(at_least(1, secs(4)));
    let transport = transport.build().unwrap();
    let (mut body, mut peer) = unbegun(&transport, &listener, 100).await;
    peer.write([b'x'; 50]).await.unwrap();
    body.frame().await.unwrap().unwrap();
    let begun = Instant::now();
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(begun.elapsed(), secs(6));
    assert!(error.to_string().contains("nothing came"), "{error}");
}

/// TO-05
#[test]
fn a_rate_of_nothing_and_a_grace_of_nothing_are_refused() {
    for (least, field) in [
        (at_least(0, LIMIT), "body_throughput.bytes_per_second"),
        (at_least(1, Duration::ZERO), "body_throughput.grace"),
    ] {
        let error = Transport::builder().body_throughput(least).build();
        let error = error.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(field), "{error}");
    }
}

/// TO-01
#[tokio::test(start_paused = true)]
async fn the_time_in_which_the_peer_takes_nothing_has_a_limit() {
    let network = Network::with_buffer_size(1024);
    let listener = network.listen("a.test:80");
    let transport = untimed(over(&network)).write_idle_timeout(Some(LIMIT));
    let transport = transport.build().unwrap();
    let sent = send(&transport, post(A, vec![0; 64 * 1024]));
    let peer = accept(&listener).await;
    let begun = Instant::now();
    let error = failure_of(sent).await;
    let kind = ErrorKind::WriteTimeout;
    assert_error(&error, kind, Phase::Exchange, RequestSent::Maybe);
    assert_eq!(begun.elapsed(), LIMIT);
    drop(peer);
    network.all_closed().await;
}

/// TO-01
#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_little_at_a_time_takes_something() {
    let network = Network::with_buffer_size(1024);
    let listener = network.listen("a.test:80");
    let transport = untimed(over(&network)).write_idle_timeout(Some(LIMIT));
    let transport = transport.build().unwrap();
    let sent = send(&transport, post(A, vec![0; 16 * 1024]));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    for _ in 0..16 {
        pass(LIMIT - Duration::from_millis(1)).await;
        peer.read_exact_body(1024).await.unwrap();
        settle().await;
    }
    peer.respond("200 OK", "taken").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "taken");
}

/// TO-06
#[tokio::test(start_paused = true)]
async fn an_http1_connection_is_never_used_again_after_a_timeout() {
    let answers = ["", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbo"];
    for answer in answers {
        let network = Network::new();
        let listener = network.listen("a.test:80");
        let transport = untimed(over(&network))
            .response_head_timeout(Some(LIMIT))
            .body_idle_timeout(Some(LIMIT))
            .max_connections_per_host(1)
            .max_idle_per_host(1)
            .build()
            .unwrap();
        let timed_out = tokio::spawn({
            let transport = transport.clone();
            async move { fetch(&transport, get(A)).await }
        });
        let mut peer = accept(&listener).await;
        path(&mut peer).await;
        peer.write(answer).await.unwrap();
        let error = timed_out.await.unwrap().unwrap_err();
        assert!(error.is_timeout());
        // The late answer finds nobody.
        peer.closed().await;
        let next = send(&transport, get("http://a.test/next"));
        assert_eq!(echo(&mut accept(&listener).await).await, "/next");
        assert_eq!(answer_to(next).await.unwrap(), "/next");
        assert_eq!(network.dials(), 2);
    }
}

/// TO-06: an HTTP/2 connection on which a request timed out may be dead: until bytes arrive on it, it
/// gets no more streams.
#[tokio::test(start_paused = true)]
async fn an_http2_connection_is_not_trusted_after_a_timeout() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    tokio::spawn(async move {
        let io = listener.accept().await;
        let mut silent = h2::server::handshake(io).await.unwrap();
        let unanswered = silent.accept().await;
        let _server = echoing().http2().start_on(listener);
        std::future::pending::<()>().await;
        drop(unanswered);
    });
    let transport = untimed(over_http2(&network)).response_head_timeout(Some(LIMIT));
    let transport = transport.build().unwrap();
    let error = failure_of(send(&transport, get(A))).await;
    assert_eq!(error.kind(), ErrorKind::ResponseTimeout);
    assert_eq!(fetch(&transport, get(A)).await.unwrap(), "/");
    assert_eq!(network.dials(), 2);
}

/// TO-07
#[tokio::test(start_paused = true)]
async fn the_longest_times_are_no_limit() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let far = Some(Duration::MAX);
    let transport = over(&network)
        .acquire_timeout(far)
        .connect_timeout(far)
        .tls_timeout(far)
        .response_head_timeout(far)
        .max_lifetime(far)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .build()
        .unwrap();
    let (first, second) = (send(&transport, get(A)), send(&transport, get(A)));
    let mut peer = accept(&listener).await;
    pass(secs(365 * 24 * 60 * 60)).await;
    echo(&mut peer).await;
    echo(&mut peer).await;
    answer_to(first).await.unwrap();
    answer_to(second).await.unwrap();
}

/// TO-07
#[tokio::test(start_paused = true)]
async fn a_time_of_zero_runs_out_as_soon_as_there_is_a_wait() {
    let network = Network::with_buffer_size(1024);
    let _listener = network.listen("a.test:80");
    let now = Some(Duration::ZERO);
    let base = || untimed(over(&network));
    let begun = Instant::now();

    let transport = base().response_head_timeout(now).build().unwrap();
    let error = failure_of(send(&transport, get(A))).await;
    assert_eq!(error.kind(), ErrorKind::ResponseTimeout);

    let transport = base().write_idle_timeout(now).build().unwrap();
    let error = failure_of(send(&transport, post(A, vec![0; 2048]))).await;
    assert_eq!(error.kind(), ErrorKind::WriteTimeout);

    let transport = base().connect_timeout(now).build().unwrap();
    let _hold = network.hold_dials();
    let error = failure_of(send(&transport, get(A))).await;
    assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
    assert!(begun.elapsed() <= Duration::from_millis(3));
}

/// CAN-17
#[tokio::test(start_paused = true)]
async fn an_answer_that_came_in_time_is_taken_though_the_clock_has_rung_since() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).response_head_timeout(Some(LIMIT));
    let transport = transport.build().unwrap();
    let mut polled = Polled::waiting(&transport, get(A));
    let mut peer = accept(&listener).await;
    settle().await;
    assert!(polled.poll().is_none());
    echo(&mut peer).await;
    pass(2 * LIMIT).await;
    polled.poll().unwrap().unwrap();
}

// ---- the request's deadline ----

fn due(within: Duration) -> Request<Body> {
    let mut request = get(A);
    Deadline::after(within).attach(&mut request);
    request
}

#[tokio::test(start_paused = true)]
async fn a_requests_deadline_bounds_its_wait_for_a_connection() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = untimed(over(&network))
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .acquire_timeout(Some(2 * LIMIT))
        .build()
        .unwrap();
    let held = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let begun = Instant::now();
    let error = failure_of(send(&transport, due(LIMIT))).await;
    let kind = ErrorKind::DeadlineExceeded;
    assert_error(&error, kind, Phase::Acquire, RequestSent::No);
    assert_eq!(begun.elapsed(), LIMIT);
    // A later deadline leaves the acquire timeout as it is.
    let error = failure_of(send(&transport, due(5 * LIMIT))).await;
    assert!(matches!(error.kind(), ErrorKind::AcquireTimeout { .. }));
    assert_eq!(begun.elapsed(), 3 * LIMIT);
    peer.respond("200 OK", "held").await.unwrap();
    answer_to(held).await.unwrap();
}

/// The breaker judges by the phase: a host that takes no connection is at fault, a queue is not.
#[tokio::test(start_paused = true)]
async fn a_deadline_that_ends_while_the_only_connection_is_dialled_is_the_dials() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = untimed(over(&network)).build().unwrap();
    let kind = ErrorKind::DeadlineExceeded;
    let hold = network.hold_dials();
    let error = failure_of(send(&transport, due(LIMIT))).await;
    assert_error(&error, kind, Phase::Dial, RequestSent::No);
    drop(hold);
    settle().await;

    // Behind others it has waited for them as well.
    let _busy = [send(&transport, get(A)), send(&transport, get(A))];
    path(&mut accept(&listener).await).await;
    let _hold = network.hold_dials();
    let error = failure_of(send(&transport, due(LIMIT))).await;
    assert_error(&error, kind, Phase::Acquire, RequestSent::No);
}

#[tokio::test(start_paused = true)]
async fn a_requests_deadline_bounds_its_wait_for_the_head() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = untimed(over(&network)).response_head_timeout(Some(2 * LIMIT));
    let transport = transport.build().unwrap();
    let begun = Instant::now();
    let sent = send(&transport, due(LIMIT));
    let mut peer = accept(&listener).await;
    let error = failure_of(sent).await;
    let kind = ErrorKind::DeadlineExceeded;
    assert_error(&error, kind, Phase::Exchange, RequestSent::Maybe);
    assert_eq!(begun.elapsed(), LIMIT);
    path(&mut peer).await;
    peer.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_opens_no_connection() {
    let network = Network::new();
    let transport = over(&network).build().unwrap();
    let request = due(LIMIT);
    pass(LIMIT).await;
    let error = failure_of(send(&transport, request)).await;
    let kind = ErrorKind::DeadlineExceeded;
    assert_error(&error, kind, Phase::Acquire, RequestSent::No);
    settle().await;
    assert_eq!(network.dials(), 0);
}

/// The deadline counts from when it was set, through a resend on another connection.
#[tokio::test(start_paused = true)]
async fn a_resend_has_what_is_left_of_the_deadline() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = untimed(over(&network)).build().unwrap();
    let first = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    echo(&mut peer).await;
    answer_to(first).await.unwrap();
    settle().await;
    let hold = network.hold_dials();
    drop(peer);
    let begun = Instant::now();
    let sent = send(&transport, due(LIMIT));
    until(|| stats(&transport).resent == 1).await;
    let error = failure_of(sent).await;
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(error.request_sent(), RequestSent::No);
    assert_eq!(begun.elapsed(), LIMIT);
    drop(hold);
}
