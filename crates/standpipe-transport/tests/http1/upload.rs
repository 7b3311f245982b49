//! Request bodies on their way.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::channel::Channel;
use standpipe_core::{Body, Error, ErrorKind};
use standpipe_test::memory::Network;
use tokio::io::AsyncWriteExt;

use crate::scripted::{Scripted, streaming_post};
use crate::support::{A, failure_of, post, read, send, settle, stats};

/// H1-08
#[tokio::test(start_paused = true)]
async fn an_early_refusal_is_delivered_though_the_server_reads_no_more() {
    let scripted = Scripted::on(Network::with_buffer_size(1024), |b| b);
    let mut begun = scripted.begin(post(A, vec![7; 256 * 1024])).await;
    begun
        .peer
        .respond("413 Content Too Large", "no")
        .await
        .unwrap();
    // What the client writes from now on fails.
    drop(begun.peer);
    let response = begun.sent.await.unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(read(response).await.unwrap(), "no");
    settle().await;
    let now = stats(&scripted.transport);
    assert_eq!((now.active, now.idle), (0, 0));
    scripted.assert_works().await;
}

/// H1-08: an answer that closes says that the rest of the upload is not wanted either.
#[tokio::test(start_paused = true)]
async fn an_early_answer_that_closes_stops_the_upload() {
    let scripted = Scripted::new();
    let (mut upload, request) = streaming_post(A);
    let mut begun = scripted.begin(request).await;
    upload.send_data(Bytes::from("half")).await.unwrap();
    let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    begun.peer.write(answer).await.unwrap();
    let (response, peer) = begun.head().await;
    assert_eq!(read(response).await.unwrap(), "ok");
    drop(peer);
    let _ = upload.send_data(Bytes::from("rest")).await;
    settle().await;
    let now = stats(&scripted.transport);
    assert_eq!((now.active, now.idle), (0, 0));
    upload.send_data(Bytes::from("more")).await.unwrap_err();
    scripted.assert_works().await;
}

/// A request with a declared length and a stream of unknown length for it.
fn declared(length: u64) -> (http_body_util::channel::Sender<Bytes, Error>, Request<Body>) {
    let (sender, body) = Channel::<Bytes, Error>::new(4);
    let request = Request::post(A).header("content-length", length);
    (sender, request.body(Body::new(body)).unwrap())
}

/// H1-19
#[tokio::test(start_paused = true)]
async fn a_body_longer_than_declared_is_an_error_and_not_cut() {
    let scripted = Scripted::new();
    let (mut upload, request) = declared(4);
    let begun = scripted.begin(request).await;
    assert!(begun.head.contains("content-length: 4\r\n"));
    upload.send_data(Bytes::from("four")).await.unwrap();
    upload.send_data(Bytes::from("more")).await.unwrap();
    let error = failure_of(begun.sent).await;
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    assert!(error.to_string().contains("longer"), "{error}");
    scripted.assert_closed(begun.peer).await;
}

/// H1-19
#[tokio::test(start_paused = true)]
async fn a_chunk_longer_than_declared_is_not_sent_in_part() {
    let scripted = Scripted::new();
    let (mut upload, request) = declared(4);
    let begun = scripted.begin(request).await;
    upload.send_data(Bytes::from("sevens!")).await.unwrap();
    let error = failure_of(begun.sent).await;
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    let mut peer = begun.peer;
    peer.closed().await;
    assert_eq!(peer.surplus(), b"");
    scripted.assert_works().await;
}

/// H1-19
#[tokio::test(start_paused = true)]
async fn a_body_shorter_than_declared_is_an_error() {
    let scripted = Scripted::new();
    let (mut upload, request) = declared(10);
    let begun = scripted.begin(request).await;
    upload.send_data(Bytes::from("four")).await.unwrap();
    drop(upload);
    let error = failure_of(begun.sent).await;
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    assert!(error.to_string().contains("shorter"), "{error}");
    scripted.assert_closed(begun.peer).await;
}

/// H1-19: a body need not end at its last byte, so nothing is waited for.
#[tokio::test(start_paused = true)]
async fn a_body_as_long_as_declared_is_sent_before_it_ends() {
    let scripted = Scripted::new();
    let (mut upload, request) = declared(8);
    let mut begun = scripted.begin(request).await;
    upload.send_data(Bytes::from("four")).await.unwrap();
    upload.send_data(Bytes::from("more")).await.unwrap();
    assert_eq!(begun.peer.read_exact_body(8).await.unwrap(), "fourmore");
    begun.peer.respond("200 OK", "done").await.unwrap();
    let (response, peer) = begun.head().await;
    assert_eq!(read(response).await.unwrap(), "done");
    drop(upload);
    settle().await;
    scripted.assert_reused(peer).await;
}

/// A stream that says it is as long as this, and gives these bytes.
struct Lies(u64, Option<Bytes>);

impl http_body::Body for Lies {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(self.1.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}

/// H1-19
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_as_long_as_it_says_is_an_error() {
    for length in [3, 5] {
        let scripted = Scripted::new();
        let lies = Body::new(Lies(length, Some(Bytes::from("body"))));
        let sent = send(&scripted.transport, post(A, lies));
        let peer = crate::support::accept(&scripted.listener).await;
        let error = failure_of(sent).await;
        assert_eq!(error.kind(), ErrorKind::RequestBody);
        settle().await;
        scripted.assert_closed(peer).await;
    }
}

/// H1-19
#[tokio::test(start_paused = true)]
async fn an_error_of_the_body_is_the_callers_own_and_ends_the_connection() {
    let scripted = Scripted::new();
    let (mut upload, request) = streaming_post(A);
    let begun = scripted.begin(request).await;
    upload.send_data(Bytes::from("half")).await.unwrap();
    upload.abort(Error::new(ErrorKind::RequestBody).with_message("the disk is gone"));
    let error = failure_of(begun.sent).await;
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    assert!(error.to_string().contains("the disk is gone"), "{error}");
    assert!(!error.calls_for_resend());
    scripted.assert_closed(begun.peer).await;
}

/// H1-19: a method says nothing of whether there is a body.
#[tokio::test(start_paused = true)]
async fn a_streamed_body_is_sent_by_whatever_method() {
    for method in [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS] {
        let scripted = Scripted::new();
        let (mut upload, mut request) = streaming_post(A);
        *request.method_mut() = method.clone();
        let mut begun = scripted.begin(request).await;
        upload.send_data(Bytes::from("body")).await.unwrap();
        drop(upload);
        let chunked = "4\r\nbody\r\n0\r\n\r\n";
        let body = begun.peer.read_exact_body(chunked.len());
        let body = tokio::time::timeout(crate::support::secs(1), body).await;
        assert_eq!(body.expect("it is sent").unwrap(), chunked, "{method}");
        begun
            .peer
            .write("HTTP/1.1 204 No Content\r\n\r\n")
            .await
            .unwrap();
        begun.head().await;
    }
}

/// H1-19: HTTP/1.0 has no chunks, so what has no length cannot be sent, nor is it silently left out.
#[tokio::test(start_paused = true)]
async fn a_streamed_body_without_a_length_is_refused_by_http_1_0() {
    let scripted = Scripted::new();
    let (_upload, mut request) = streaming_post(A);
    *request.version_mut() = http::Version::HTTP_10;
    let error = failure_of(send(&scripted.transport, request)).await;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(scripted.network.dials(), 0);
}

/// H1-20
#[tokio::test(start_paused = true)]
async fn a_peer_that_closed_its_half_is_not_asked_over_and_over() {
    let polls = crate::polls::Polls::default();
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = standpipe_transport::Transport::builder()
        .connector(polls.count(network.connector()))
        .build()
        .unwrap();
    let (mut upload, request) = streaming_post(A);
    let sent = send(&transport, request);
    let mut peer = crate::support::accept(&listener).await;
    peer.read_head().await.unwrap();
    upload.send_data(Bytes::from("half")).await.unwrap();
    peer.respond("200 OK", "early").await.unwrap();
    let response = sent.await.unwrap().unwrap();
    let mut stream = peer.into_inner();
    stream.shutdown().await.unwrap();
    settle().await;
    let before = polls.so_far();
    for _ in 0..10 {
        settle().await;
    }
    let after = polls.so_far();
    assert!(after - before < 20, "{} polls for nothing", after - before);
    assert_eq!(read(response).await.unwrap(), "early");
    drop(upload);
}
