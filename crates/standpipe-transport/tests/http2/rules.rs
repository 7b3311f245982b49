//! What HTTP/2 does without.

use standpipe_test::h2peer::{flag, kind, setting};

use crate::scripted::streaming_post;
use crate::support::{A, answer_to, failure_of, send, settle};
use crate::wire::Wire;

/// H2-23: over HTTP/2 there is no switch of protocols (RFC 9113, 8.6).
#[tokio::test(start_paused = true)]
async fn informational_answers_are_skipped() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    let sent = wire.get();
    let stream = peer.request().await.unwrap();
    for status in ["100", "102", "103"] {
        peer.head(stream, &[(":status", status)], false)
            .await
            .unwrap();
        settle().await;
    }
    peer.respond(stream, "final").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "final");
}

/// H2-27
#[tokio::test(start_paused = true)]
async fn pushes_are_switched_off_and_a_promise_is_a_breach() {
    let wire = Wire::new();
    let sent = wire.get();
    let mut peer = wire.accept(&[]).await;
    let settings = peer.next(kind::SETTINGS).await.unwrap().settings();
    assert!(
        settings.contains(&(setting::ENABLE_PUSH, 0)),
        "{settings:?}"
    );
    let stream = peer.request().await.unwrap();
    let promise = [&2_u32.to_be_bytes()[..], &[0x82, 0x84, 0x86]].concat();
    peer.write(kind::PUSH_PROMISE, flag::END_HEADERS, stream, promise)
        .await
        .unwrap();
    let error = failure_of(sent).await;
    assert!(!error.calls_for_resend(), "{error:?}");
    peer.closed().await;
    wire.quiet().await;
    wire.assert_goes_elsewhere().await;
}

/// SMG-03
#[tokio::test(start_paused = true)]
async fn headers_of_the_connection_are_not_sent() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    let (upload, mut request) = streaming_post(A);
    drop(upload);
    for (name, value) in [
        ("connection", "keep-alive, x-hop"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("upgrade", "h2c"),
        ("x-hop", "y"),
        ("transfer-encoding", "chunked"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let plain = send(&wire.transport, crate::support::post(A, ""));
    let bare = peer.next(kind::HEADERS).await.unwrap();
    peer.respond(bare.stream, "").await.unwrap();
    answer_to(plain).await.unwrap();
    let sent = send(&wire.transport, request);
    let head = peer.next(kind::HEADERS).await.unwrap();
    // The pseudo-headers are in the table by now, so nothing but they would be longer.
    assert!(
        head.payload.len() <= bare.payload.len(),
        "{head:?}, {bare:?}"
    );
    peer.respond(head.stream, "fine").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "fine");
}
