//! Accepted: hyper has taken the request.

use http::Response;
use http_body_util::Empty;
use standpipe_core::{Error, ErrorKind, Phase, RequestSent};
use standpipe_test::memory::{Listener, MemoryStream, Network};
use standpipe_test::{Gate, Peer, Server};
use standpipe_transport::Transport;

use crate::support::{
    A, accept, answer_to, echo, failure_of, fetch, get, over, over_http2, path, post, send, settle,
    stats, until,
};

/// CAN-08
#[tokio::test(start_paused = true)]
async fn dropped_awaiting_the_head_it_closes_an_http1_connection() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).max_idle_per_host(1);
    let transport = transport.max_connections_per_host(1).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    sent.abort();
    peer.closed().await;
    network.all_closed().await;
    assert_eq!(stats(&transport).active, 0);
    let next = send(&transport, get(A));
    echo(&mut accept(&listener).await).await;
    assert_eq!(answer_to(next).await.unwrap(), "/");
}

/// CAN-08
#[tokio::test(start_paused = true)]
async fn dropped_awaiting_the_head_it_resets_its_http2_stream_alone() {
    let network = Network::new();
    let gate = Gate::new();
    let server = Server::builder().http2().handler({
        let gate = gate.clone();
        move |_| {
            let gate = gate.clone();
            async move {
                gate.wait().await;
                Response::new(Empty::new())
            }
        }
    });
    let server = server.start_on(network.listen("a.test:80"));
    let transport = over_http2(&network).build().unwrap();
    let (dropped, kept) = (send(&transport, get(A)), send(&transport, get(A)));
    gate.arrived(2).await;
    dropped.abort();
    // The server gives the stream's handler up, so it was told.
    until(|| gate.waiting() == 1).await;
    gate.open();
    kept.await.unwrap().unwrap();
    fetch(&transport, get(A)).await.unwrap();
    settle().await;
    assert_eq!(server.stats().connections, 1);
    let stats = stats(&transport);
    assert_eq!((stats.idle, stats.streams), (1, 0));
}

/// CAN-07
#[tokio::test(start_paused = true)]
async fn dropped_in_mid_upload_it_closes_the_connection() {
    let network = Network::with_buffer_size(1024);
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, post(A, vec![0; 64 * 1024]));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    sent.abort();
    peer.closed().await;
    network.all_closed().await;
    let stats = stats(&transport);
    assert_eq!((stats.active, stats.idle), (0, 0));
}

/// The transport with one idle HTTP/1.1 connection, and the server's side of it.
async fn with_a_used_connection(network: &Network) -> (Transport, Peer<MemoryStream>, Listener) {
    let listener = network.listen("a.test:80");
    let transport = over(network).build().unwrap();
    let first = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    echo(&mut peer).await;
    answer_to(first).await.unwrap();
    settle().await;
    assert_eq!(stats(&transport).idle, 1);
    (transport, peer, listener)
}

fn assert_closed(error: &Error, sent: RequestSent, resend: bool) {
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed, "{error:?}");
    assert_eq!(error.phase(), Some(Phase::Exchange));
    assert_eq!(error.request_sent(), sent, "{error:?}");
    assert_eq!(error.calls_for_resend(), resend, "{error:?}");
}

/// STALE-02, STALE-03
#[tokio::test(start_paused = true)]
async fn written_on_a_used_connection_and_not_answered_it_may_have_been_sent() {
    for request in [get(A), post(A, "a body")] {
        let network = Network::new();
        let (transport, mut peer, _listener) = with_a_used_connection(&network).await;
        let sent = send(&transport, request);
        path(&mut peer).await;
        peer.close().await.unwrap();
        // Whether it is sent again is for a layer that knows the method, and kept a copy.
        assert_closed(&failure_of(sent).await, RequestSent::Maybe, true);
        assert_eq!(network.dials(), 1);
    }
}

/// STALE-02
#[tokio::test(start_paused = true)]
async fn a_reset_under_the_request_counts_as_a_close() {
    let network = Network::new();
    let (transport, mut peer, _listener) = with_a_used_connection(&network).await;
    let sent = send(&transport, get(A));
    path(&mut peer).await;
    peer.reset();
    assert_closed(&failure_of(sent).await, RequestSent::Maybe, true);
}

/// STALE-05
#[tokio::test(start_paused = true)]
async fn written_on_a_fresh_connection_and_not_answered_it_calls_for_no_resend() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    peer.close().await.unwrap();
    assert_closed(&failure_of(sent).await, RequestSent::Maybe, false);
}

/// STALE-06
#[tokio::test(start_paused = true)]
async fn after_one_byte_of_an_answer_it_was_sent() {
    let network = Network::new();
    let (transport, mut peer, _listener) = with_a_used_connection(&network).await;
    let sent = send(&transport, get(A));
    path(&mut peer).await;
    peer.write("H").await.unwrap();
    settle().await;
    peer.close().await.unwrap();
    assert_closed(&failure_of(sent).await, RequestSent::Yes, false);
}

/// STALE-06: what the first request read is not taken for an answer to the second.
#[tokio::test(start_paused = true)]
async fn bytes_are_counted_on_the_lease_and_not_on_the_connection() {
    let network = Network::new();
    let (transport, mut peer, _listener) = with_a_used_connection(&network).await;
    let second = send(&transport, get(A));
    echo(&mut peer).await;
    answer_to(second).await.unwrap();
    let third = send(&transport, get(A));
    path(&mut peer).await;
    peer.close().await.unwrap();
    assert_closed(&failure_of(third).await, RequestSent::Maybe, true);
}

/// STALE-10
#[tokio::test(start_paused = true)]
async fn a_malformed_answer_is_a_breach_of_protocol_and_the_request_was_sent() {
    let network = Network::new();
    let (transport, mut peer, _listener) = with_a_used_connection(&network).await;
    let sent = send(&transport, get(A));
    path(&mut peer).await;
    peer.write("SSH-2.0-nonsense\r\n\r\n").await.unwrap();
    let error = failure_of(sent).await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(error.request_sent(), RequestSent::Yes);
    assert!(!error.calls_for_resend());
    peer.closed().await;
}

/// A server of HTTP/2 that resets the streams that come with each reason in turn.
fn resetting(listener: Listener, reasons: Vec<h2::Reason>) {
    tokio::spawn(async move {
        let io = listener.accept().await;
        let mut connection = h2::server::handshake(io).await.unwrap();
        let mut reasons = reasons.into_iter();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            respond.send_reset(reasons.next().unwrap_or(h2::Reason::NO_ERROR));
        }
    });
}

/// H2-07
#[tokio::test(start_paused = true)]
async fn a_refused_http2_stream_was_not_sent_and_calls_for_a_resend() {
    let network = Network::new();
    resetting(
        network.listen("a.test:80"),
        vec![h2::Reason::REFUSED_STREAM],
    );
    let transport = over_http2(&network).build().unwrap();
    let error = failure_of(send(&transport, post(A, "a body"))).await;
    assert_eq!(error.kind(), ErrorKind::StreamReset);
    assert_eq!(error.request_sent(), RequestSent::No);
    assert!(error.calls_for_resend());
}

/// H2-09
#[tokio::test(start_paused = true)]
async fn an_http2_stream_reset_otherwise_may_have_been_sent_and_leaves_the_connection() {
    let network = Network::new();
    let reasons = vec![h2::Reason::INTERNAL_ERROR, h2::Reason::CANCEL];
    resetting(network.listen("a.test:80"), reasons);
    let transport = over_http2(&network).build().unwrap();
    for _ in 0..2 {
        let error = failure_of(send(&transport, get(A))).await;
        assert_eq!(error.kind(), ErrorKind::StreamReset);
        assert_eq!(error.request_sent(), RequestSent::Maybe);
        assert!(!error.calls_for_resend());
    }
    settle().await;
    let stats = stats(&transport);
    assert_eq!((stats.created, stats.idle, stats.streams), (1, 1, 0));
}
