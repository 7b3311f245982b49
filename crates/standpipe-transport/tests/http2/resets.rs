//! RST_STREAM, in both directions.

use std::time::Duration;

use bytes::Bytes;
use standpipe_core::{Error, ErrorKind, RequestSent};
use standpipe_test::H2Peer;
use standpipe_test::h2peer::{code, kind};

use crate::scripted::streaming_post;
use crate::support::{A, B, answer_to, failure_of, get, pass, post, read, secs, send, settle};
use crate::wire::{Wire, assert_untouched};

/// H2-07
#[tokio::test(start_paused = true)]
async fn a_refused_stream_is_untouched_whatever_its_method_and_the_connection_goes_on() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    let sent = send(&wire.transport, post(A, "a body"));
    let stream = peer.request().await.unwrap();
    peer.reset(stream, code::REFUSED_STREAM).await.unwrap();
    assert_untouched(&failure_of(sent).await);
    wire.assert_goes_here(&mut peer).await;
}

/// H2-07: a stream that answered was not refused, whatever the reset says.
#[tokio::test(start_paused = true)]
async fn a_stream_refused_after_its_head_was_sent_and_is_no_case_for_a_resend() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    let sent = wire.get();
    let stream = peer.request().await.unwrap();
    peer.head(stream, &[(":status", "200")], false)
        .await
        .unwrap();
    let response = sent.await.unwrap().unwrap();
    peer.reset(stream, code::REFUSED_STREAM).await.unwrap();
    let error = read(response).await.unwrap_err();
    assert_eq!(error.request_sent(), RequestSent::Yes);
    assert!(!error.calls_for_resend(), "{error:?}");
}

/// H2-09: a connection that ends in mid-body, too, has delivered a head.
#[tokio::test(start_paused = true)]
async fn a_body_cut_off_with_its_connection_is_no_case_for_a_resend() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    let sent = wire.get();
    let stream = peer.request().await.unwrap();
    peer.head(stream, &[(":status", "200")], false)
        .await
        .unwrap();
    let response = sent.await.unwrap().unwrap();
    drop(peer);
    let error = read(response).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!(error.request_sent(), RequestSent::Yes);
    assert!(!error.calls_for_resend(), "{error:?}");
}

/// H2-08
#[tokio::test(start_paused = true)]
async fn a_connection_that_refused_two_streams_leaves_the_pool() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    for _ in 0..2 {
        let sent = wire.get();
        let stream = peer.request().await.unwrap();
        peer.reset(stream, code::REFUSED_STREAM).await.unwrap();
        assert_untouched(&failure_of(sent).await);
    }
    wire.assert_goes_elsewhere().await;
}

/// H2-09
#[tokio::test(start_paused = true)]
async fn a_reset_in_the_body_ends_that_stream_alone() {
    let wire = Wire::new();
    let (mut peer, mut requests) = wire.busy(2).await;
    let (stream, broken) = requests.remove(0);
    peer.head(stream, &[(":status", "200")], false)
        .await
        .unwrap();
    peer.data(stream, "half", false).await.unwrap();
    let response = broken.await.unwrap().unwrap();
    peer.reset(stream, code::INTERNAL_ERROR).await.unwrap();
    let error = read(response).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StreamReset);
    assert_eq!(error.request_sent(), RequestSent::Yes);
    let (stream, whole) = requests.remove(0);
    peer.respond(stream, "whole").await.unwrap();
    assert_eq!(answer_to(whole).await.unwrap(), "whole");
    wire.assert_goes_here(&mut peer).await;
}

/// H2-10
#[tokio::test(start_paused = true)]
async fn an_upload_that_is_waved_off_after_the_answer_stops_and_the_answer_is_whole() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    let (mut upload, request) = streaming_post(A);
    let sent = send(&wire.transport, request);
    let stream = peer.request().await.unwrap();
    upload.send_data(Bytes::from("half")).await.unwrap();
    assert_eq!(peer.next(kind::DATA).await.unwrap().payload, "half");
    peer.respond(stream, "enough").await.unwrap();
    peer.reset(stream, code::NO_ERROR).await.unwrap();
    settle().await;
    assert_eq!(answer_to(sent).await.unwrap(), "enough");
    settle().await;
    upload.send_data(Bytes::from("rest")).await.unwrap_err();
    wire.quiet().await;
    wire.assert_goes_here(&mut peer).await;
}

/// H2-10: with trailers, which are part of a full answer.
#[tokio::test(start_paused = true)]
async fn a_reset_without_error_after_the_trailers_is_no_error_of_theirs() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    let (_upload, request) = streaming_post(A);
    let sent = send(&wire.transport, request);
    let stream = peer.request().await.unwrap();
    peer.head(stream, &[(":status", "200")], false)
        .await
        .unwrap();
    peer.data(stream, "body", false).await.unwrap();
    peer.head(stream, &[("x-sum", "7")], true).await.unwrap();
    peer.reset(stream, code::NO_ERROR).await.unwrap();
    settle().await;
    let response = sent.await.unwrap().unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body())
        .await
        .unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "7");
    assert_eq!(body.to_bytes(), "body");
    wire.quiet().await;
}

/// H2-15
#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_calm_is_not_dialled_again_by_the_transport() {
    let wire = Wire::new();
    let (mut peer, requests) = wire.busy(3).await;
    peer.go_away(1, code::ENHANCE_YOUR_CALM).await.unwrap();
    drop(peer);
    for (_, sent) in requests {
        let error = failure_of(sent).await;
        assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
        assert_eq!(error.request_sent(), RequestSent::No);
        assert!(!error.calls_for_resend(), "not at once: {error:?}");
    }
    settle().await;
    assert_eq!(wire.network.dials(), 1);
}

/// H2-15: one is waiting for a connection already, and would have it dialled.
#[tokio::test(start_paused = true)]
async fn a_host_that_asks_for_calm_is_left_alone_for_a_while_and_ever_longer() {
    let wire = Wire::with(|b| b.max_connections_per_host(1).max_idle_per_host(1));
    let mut peer = wire.used(&[]).await;
    for rest in [1, 2, 4] {
        peer.go_away(0, code::ENHANCE_YOUR_CALM).await.unwrap();
        drop(peer);
        settle().await;
        let dials = wire.network.dials();
        let sent: Vec<_> = (0..3).map(|_| wire.get()).collect();
        settle().await;
        pass(secs(rest) - Duration::from_millis(1)).await;
        assert_eq!(wire.network.dials(), dials, "{rest} s");
        pass(Duration::from_millis(1)).await;
        assert_eq!(wire.network.dials(), dials + 1);
        peer = wire.accept(&[]).await;
        for sent in sent {
            let stream = peer.request().await.unwrap();
            peer.respond(stream, "calm again").await.unwrap();
            assert_eq!(answer_to(sent).await.unwrap(), "calm again");
        }
        settle().await;
    }
}

/// H2-15: nobody else has to wait.
#[tokio::test(start_paused = true)]
async fn another_goodbye_and_another_host_know_no_rest() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    peer.go_away(0, code::NO_ERROR).await.unwrap();
    settle().await;
    let mut peer = wire.assert_goes_elsewhere().await;
    peer.go_away(0, code::ENHANCE_YOUR_CALM).await.unwrap();
    settle().await;
    let other = wire.network.listen("b.test:80");
    let sent = send(&wire.transport, get(B));
    let mut peer = H2Peer::accept(other.accept().await, &[]).await.unwrap();
    let begun = tokio::time::Instant::now();
    let stream = peer.request().await.unwrap();
    peer.respond(stream, "here").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "here");
    assert!(begun.elapsed() < secs(1));
}

/// H2-15: by a reset of one stream.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_reset_for_calm_says_so_and_is_no_case_for_a_resend() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    let sent = wire.get();
    let stream = peer.request().await.unwrap();
    peer.reset(stream, code::ENHANCE_YOUR_CALM).await.unwrap();
    let error = failure_of(sent).await;
    assert_eq!(error.kind(), ErrorKind::StreamReset);
    assert!(!error.calls_for_resend());
    assert!(error.to_string().contains("ENHANCE_YOUR_CALM"), "{error}");
    assert!(printed(&error).contains("excessive load"), "{error:?}");
}

/// The error and its causes, as programs print them.
fn printed(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// A cause is told by the error that is the cause, and by no other.
#[tokio::test(start_paused = true)]
async fn a_printed_chain_of_causes_says_nothing_twice() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    let sent = wire.get();
    let stream = peer.request().await.unwrap();
    peer.reset(stream, code::INTERNAL_ERROR).await.unwrap();
    assert_eq!(
        printed(&failure_of(sent).await),
        "the peer reset the stream: INTERNAL_ERROR (http://a.test): http2 error: \
         stream error received: unexpected internal error encountered"
    );
}
