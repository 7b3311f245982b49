//! A stream has two sides, and is over when both have ended.

use bytes::Bytes;
use standpipe_core::{Body, Error, ErrorKind};
use standpipe_test::h2peer::{flag, kind};

use crate::scripted::streaming_post;
use crate::support::{A, answer_to, failure_of, get, post, read, send, settle, stats};
use crate::wire::Wire;

/// H2-24
#[tokio::test(start_paused = true)]
async fn a_stream_is_over_when_both_its_sides_have_ended_in_either_order() {
    // The response first.
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    let (mut upload, request) = streaming_post(A);
    let sent = send(&wire.transport, request);
    let stream = peer.request().await.unwrap();
    peer.respond(stream, "early").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "early");
    settle().await;
    assert_eq!(stats(&wire.transport).streams, 1, "the upload goes on");
    upload.send_data(Bytes::from("rest")).await.unwrap();
    drop(upload);
    wire.quiet().await;
    assert_eq!(peer.next(kind::DATA).await.unwrap().payload, "rest");

    // The upload first.
    let (mut upload, request) = streaming_post(A);
    let sent = send(&wire.transport, request);
    let stream = peer.request().await.unwrap();
    upload.send_data(Bytes::from("all")).await.unwrap();
    drop(upload);
    peer.head(stream, &[(":status", "200")], false)
        .await
        .unwrap();
    let response = sent.await.unwrap().unwrap();
    settle().await;
    assert_eq!(stats(&wire.transport).streams, 1, "the response goes on");
    peer.data(stream, "late", true).await.unwrap();
    assert_eq!(read(response).await.unwrap(), "late");
    wire.quiet().await;
    wire.assert_goes_here(&mut peer).await;
}

/// H2-24
#[tokio::test(start_paused = true)]
async fn a_response_dropped_during_its_upload_ends_the_stream_at_once() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    let (mut upload, request) = streaming_post(A);
    let sent = send(&wire.transport, request);
    let stream = peer.request().await.unwrap();
    peer.head(stream, &[(":status", "200")], false)
        .await
        .unwrap();
    drop(sent.await.unwrap().unwrap());
    wire.quiet().await;
    let reset = peer.next(kind::RST_STREAM).await.unwrap();
    assert_eq!(reset.stream, stream);
    upload.send_data(Bytes::from("rest")).await.unwrap_err();
    wire.assert_goes_here(&mut peer).await;
}

/// H2-24: over HTTP/2 a body is as long as it says, too.
#[tokio::test(start_paused = true)]
async fn an_upload_of_another_length_than_declared_resets_its_stream_alone() {
    for (text, how) in [("four", "shorter"), ("four and more", "longer")] {
        let wire = Wire::new();
        let mut peer = wire.used(&[]).await;
        let (mut upload, mut request) = streaming_post(A);
        request
            .headers_mut()
            .insert("content-length", "8".parse().unwrap());
        let sent = send(&wire.transport, request);
        peer.request().await.unwrap();
        upload.send_data(Bytes::from(text)).await.unwrap();
        drop(upload);
        let error = failure_of(sent).await;
        assert_eq!(error.kind(), ErrorKind::RequestBody, "{error:?}");
        assert!(error.to_string().contains(how), "{error}");
        wire.quiet().await;
        wire.assert_goes_here(&mut peer).await;
    }
}

/// RTY-17: the error is the caller's own, before the head and after it.
#[tokio::test(start_paused = true)]
async fn an_error_of_the_upload_is_the_error_of_its_request() {
    for after_head in [false, true] {
        let wire = Wire::new();
        let mut peer = wire.used(&[]).await;
        let (mut upload, request) = streaming_post(A);
        let sent = send(&wire.transport, request);
        let stream = peer.request().await.unwrap();
        upload.send_data(Bytes::from("half")).await.unwrap();
        if after_head {
            let head = [(":status", "200")];
            peer.head(stream, &head, false).await.unwrap();
            settle().await;
        }
        upload.abort(Error::new(ErrorKind::RequestBody).with_message("the disk is gone"));
        let error = match sent.await.unwrap() {
            Ok(response) => read(response).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::RequestBody, "{error:?}");
        assert!(error.to_string().contains("the disk is gone"), "{error}");
        assert!(!error.calls_for_resend(), "{error:?}");
        wire.quiet().await;
        wire.assert_goes_here(&mut peer).await;
    }
}

/// A request without a body ends its stream with its head.
#[tokio::test(start_paused = true)]
async fn an_empty_body_needs_no_frame_of_its_own() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    for request in [get(A), post(A, Body::empty())] {
        let sent = send(&wire.transport, request);
        let head = peer.next(kind::HEADERS).await.unwrap();
        assert!(head.has(flag::END_STREAM));
        peer.respond(head.stream, "").await.unwrap();
        answer_to(sent).await.unwrap();
    }
}
