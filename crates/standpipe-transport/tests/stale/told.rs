//! What an error says of how far its request came: `No` and `Yes` are never wrong.

use bytes::Bytes;
use http::Request;
use standpipe_core::{Body, Error, ErrorKind, RequestSent};
use standpipe_test::Peer;
use standpipe_test::h2peer::code;
use standpipe_test::h2peer::setting::MAX_CONCURRENT_STREAMS;
use standpipe_test::memory::MemoryStream;

use crate::scripted::{Scripted, streaming_post};
use crate::support::{A, failure_of, get, post, send, settle};
use crate::wire::Wire;

/// A transport whose one connection has carried a request.
async fn used() -> (Scripted, Peer<MemoryStream>) {
    let scripted = Scripted::new();
    let exchanged = scripted
        .exchange("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .await;
    (scripted, exchanged.peer)
}

#[track_caller]
fn assert_told(error: &Error, sent: RequestSent, resend: bool) {
    assert_eq!(error.request_sent(), sent, "{error:?}");
    assert_eq!(error.calls_for_resend(), resend, "{error:?}");
}

/// STALE-02, STALE-03, STALE-04: which of them goes again is for whoever knows methods and keys.
#[tokio::test(start_paused = true)]
async fn written_and_unanswered_it_may_have_been_sent_whatever_its_method_and_key() {
    let keyed = Request::post(A)
        .header("idempotency-key", "k")
        .body(Body::from("body"))
        .unwrap();
    for request in [get(A), post(A, "body"), keyed] {
        let (scripted, mut peer) = used().await;
        let sent = send(&scripted.transport, request);
        peer.read_head().await.unwrap();
        drop(peer);
        let error = failure_of(sent).await;
        assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
        assert_told(&error, RequestSent::Maybe, true);
        assert_eq!(scripted.network.dials(), 1, "it is not sent again here");
    }
}

/// STALE-07: the transport has no copy, so what it was given in part is gone.
#[tokio::test(start_paused = true)]
async fn a_stream_sent_in_part_is_not_sent_again() {
    let (scripted, mut peer) = used().await;
    let (mut upload, request) = streaming_post(A);
    let sent = send(&scripted.transport, request);
    peer.read_head().await.unwrap();
    upload.send_data(Bytes::from("half")).await.unwrap();
    peer.read_exact_body(7).await.unwrap();
    drop(peer);
    let error = failure_of(sent).await;
    assert_told(&error, RequestSent::Maybe, true);
    assert_eq!(scripted.network.dials(), 1);
}

/// STALE-06: one byte of anything, an informational answer as well.
#[tokio::test(start_paused = true)]
async fn one_byte_of_an_answer_says_that_it_was_sent() {
    for answer in [
        "H",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "\r\n",
        "HTTP/1.1 200 OK\r\n",
    ] {
        let (scripted, mut peer) = used().await;
        let sent = send(&scripted.transport, get(A));
        peer.read_head().await.unwrap();
        peer.write(answer).await.unwrap();
        settle().await;
        drop(peer);
        let error = failure_of(sent).await;
        assert_told(&error, RequestSent::Yes, false);
    }
}

/// STALE-06: bytes and close seen at once.
#[tokio::test(start_paused = true)]
async fn a_byte_that_comes_together_with_the_close_counts_too() {
    for reset in [false, true] {
        let (scripted, mut peer) = used().await;
        let sent = send(&scripted.transport, get(A));
        peer.read_head().await.unwrap();
        peer.write("H").await.unwrap();
        if reset {
            settle().await;
            peer.reset();
        } else {
            drop(peer);
        }
        assert_told(&failure_of(sent).await, RequestSent::Yes, false);
    }
}

/// STALE-05
#[tokio::test(start_paused = true)]
async fn on_a_fresh_connection_nothing_calls_for_a_resend() {
    let scripted = Scripted::new();
    for reset in [false, true] {
        let begun = scripted.begin(get(A)).await;
        if reset {
            begun.peer.reset();
        } else {
            drop(begun.peer);
        }
        assert_told(&failure_of(begun.sent).await, RequestSent::Maybe, false);
        settle().await;
    }
    let wire = Wire::new();
    let sent = wire.get();
    let mut peer = wire.accept(&[]).await;
    peer.request().await.unwrap();
    drop(peer);
    assert_told(&failure_of(sent).await, RequestSent::Maybe, false);
}

/// STALE-10
#[tokio::test(start_paused = true)]
async fn an_http2_connection_that_ends_leaves_its_requests_in_doubt() {
    for reset in [false, true] {
        let wire = Wire::new();
        let (peer, requests) = wire.busy(3).await;
        if reset {
            peer.into_inner().reset();
        } else {
            drop(peer);
        }
        for (_, sent) in requests {
            assert_told(&failure_of(sent).await, RequestSent::Maybe, true);
        }
        wire.quiet().await;
    }
}

/// STALE-10: the answer to one stream says nothing of the others.
#[tokio::test(start_paused = true)]
async fn bytes_for_another_stream_do_not_make_it_yes() {
    let wire = Wire::new();
    let (mut peer, mut requests) = wire.busy(2).await;
    let (stream, answered) = requests.remove(0);
    peer.respond(stream, "answered").await.unwrap();
    crate::support::answer_to(answered).await.unwrap();
    drop(peer);
    let (_, doubtful) = requests.remove(0);
    assert_eq!(
        failure_of(doubtful).await.request_sent(),
        RequestSent::Maybe
    );
}

/// STALE-10: parked by h2 when the limit was lowered under it, it comes back without its message.
#[tokio::test(start_paused = true)]
async fn a_stream_that_was_never_opened_is_never_said_to_have_been_sent_for_sure() {
    let wire = Wire::with(|b| b.max_connections_per_host(1).max_idle_per_host(1));
    let mut peer = wire.used(&[(MAX_CONCURRENT_STREAMS, 5)]).await;
    let requests: Vec<_> = (0..5).map(|_| wire.get()).collect();
    // No task runs in between: the settings arrive when the requests are with hyper already.
    peer.settings(&[(MAX_CONCURRENT_STREAMS, 1)]).await.unwrap();
    settle().await;
    drop(peer);
    for sent in requests {
        let error = failure_of(sent).await;
        assert_ne!(error.request_sent(), RequestSent::Yes, "{error:?}");
    }
    wire.quiet().await;
}

/// STALE-10
#[tokio::test(start_paused = true)]
async fn what_failed_before_it_had_a_connection_was_surely_not_sent() {
    let wire = Wire::new();
    wire.network
        .fail_next_dials(1, std::io::ErrorKind::ConnectionRefused);
    assert_told(&failure_of(wire.get()).await, RequestSent::No, false);
    let sent = wire.get();
    let mut peer = wire.accept(&[]).await;
    peer.go_away(0, code::NO_ERROR).await.unwrap();
    assert_eq!(failure_of(sent).await.request_sent(), RequestSent::No);
}
