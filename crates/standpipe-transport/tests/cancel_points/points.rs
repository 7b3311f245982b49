//! The points at which a drop matters most, one by one.

use bytes::Bytes;
use standpipe_core::ErrorKind;
use standpipe_test::h2peer::{code, kind};
use standpipe_test::memory::Network;

use crate::scripted::{Scripted, streaming_post};
use crate::support::{
    A, Polled, accept, answer_to, echo, failure_of, fetch, get, over, over_http2, path, read, send,
    settle, stats,
};
use crate::wire::Wire;

/// CAN-07
#[tokio::test(start_paused = true)]
async fn dropped_in_mid_upload_an_http2_stream_is_reset_and_its_connection_stays() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    let (mut upload, request) = streaming_post(A);
    let dropped = send(&wire.transport, request);
    let stream = peer.request().await.unwrap();
    upload.send_data(Bytes::from("half")).await.unwrap();
    peer.next(kind::DATA).await.unwrap();
    dropped.abort();
    let reset = peer.next(kind::RST_STREAM).await.unwrap();
    assert_eq!((reset.stream, reset.number()), (stream, code::CANCEL));
    settle().await;
    upload.send_data(Bytes::from("rest")).await.unwrap_err();
    wire.quiet().await;
    wire.assert_goes_here(&mut peer).await;
}

/// CAN-09: the slot is free at once, whatever the peer still sends.
#[tokio::test(start_paused = true)]
async fn a_body_dropped_half_read_frees_its_place_before_the_peer_has_finished() {
    let scripted = Scripted::new();
    let mut begun = scripted.begin(get(A)).await;
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf";
    begun.peer.write(half).await.unwrap();
    let (response, mut peer) = begun.head().await;
    drop(response);
    settle().await;
    assert_eq!(stats(&scripted.transport).active, 0);
    // The old connection is still written to.
    let _ = peer.write("rest").await;
    scripted.assert_works().await;
}

/// CAN-14
#[tokio::test(start_paused = true)]
async fn a_drop_does_not_reach_the_request_that_has_the_connection_by_then() {
    let scripted = Scripted::new();
    let mut first = Polled::waiting(&scripted.transport, get("http://a.test/first"));
    let mut peer = accept(&scripted.listener).await;
    settle().await;
    assert!(first.poll().is_none());
    echo(&mut peer).await;
    settle().await;
    let response = first.poll().unwrap().unwrap();
    settle().await;
    let second = send(&scripted.transport, get("http://a.test/second"));
    assert_eq!(path(&mut peer).await, "/second");
    // The future and the body of the first, whose connection is the second's now.
    drop(first);
    drop(response);
    settle().await;
    peer.respond("200 OK", "/second").await.unwrap();
    assert_eq!(answer_to(second).await.unwrap(), "/second");
    assert_eq!(scripted.network.dials(), 1);
}

/// CAN-15
#[tokio::test(start_paused = true)]
async fn a_ready_transport_that_is_never_called_holds_nothing() {
    use tower::ServiceExt;
    let scripted = Scripted::new();
    for _ in 0..100 {
        let mut ready = scripted.transport.clone();
        ServiceExt::<http::Request<standpipe_core::Body>>::ready(&mut ready)
            .await
            .unwrap();
    }
    settle().await;
    assert_eq!(scripted.network.dials(), 0);
    scripted.assert_works().await;
}

/// CAN-19
#[test]
fn a_runtime_that_ends_in_the_midst_of_requests_leaves_a_transport_that_works_on_another() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let network = Network::new();
    let transport = over_http2(&network).build().unwrap();
    let plain = over(&network).build().unwrap();
    let first = runtime();
    let listener = network.listen("a.test:80");
    let left_behind = first.block_on(async {
        let sent = send(&plain, get(A));
        let mut peer = accept(&listener).await;
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf";
        path(&mut peer).await;
        peer.write(head).await.unwrap();
        let response = sent.await.unwrap().unwrap();
        let waiting = Polled::waiting(&plain, get(A));
        let uploading = send(&transport, streaming_post(A).1);
        let streams = Polled::waiting(&transport, get(A));
        settle().await;
        (peer, response, waiting, uploading, streams)
    });
    drop(first);
    let (peer, response, waiting, uploading, mut streams) = left_behind;
    drop(listener);
    runtime().block_on(async {
        // What is dropped after its runtime neither panics nor blocks.
        drop(waiting);
        assert!(uploading.is_finished());
        let error = read(response).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
        drop(peer);
        let error = streams.poll().map(|answer| answer.unwrap_err());
        assert!(error.is_none_or(|error| error.kind() != ErrorKind::InvalidRequest));
        drop(streams);
        let _server = crate::support::echoing().start_on(network.listen("a.test:80"));
        assert_eq!(fetch(&plain, get(A)).await.unwrap(), "/");
        assert_eq!(stats(&plain).active, 0);
    });
}

/// CAN-17
#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_at_its_timeout_has_no_second_outcome() {
    let scripted = Scripted::with(|b| b.response_head_timeout(Some(crate::support::secs(5))));
    let begun = scripted.begin(get(A)).await;
    crate::support::pass(crate::support::secs(5)).await;
    // The clock has rung; whether the task was told so or is cancelled first, the place is free.
    begun.sent.abort();
    match begun.sent.await {
        Ok(answer) => assert_eq!(answer.unwrap_err().kind(), ErrorKind::ResponseTimeout),
        Err(cancelled) => assert!(cancelled.is_cancelled()),
    }
    scripted.assert_closed(begun.peer).await;
    let again = scripted.begin(get(A)).await;
    let error = failure_of(again.sent).await;
    assert_eq!(error.kind(), ErrorKind::ResponseTimeout);
}
