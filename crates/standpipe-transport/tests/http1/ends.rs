//! How connections end, and which ones do not.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use standpipe_core::{Body, ErrorKind, Phase, RequestSent};

use crate::scripted::{Scripted, streaming_post};
use crate::support::{
    A, accept, answer_to, echo, failure_of, get, path, post, read, send, settle, stats,
};

/// H1-17
#[tokio::test(start_paused = true)]
async fn a_request_is_not_written_while_another_is_unanswered() {
    let scripted = Scripted::new();
    let mut begun = scripted.begin(get(A)).await;
    let waiting = send(&scripted.transport, get("http://a.test/next"));
    for part in [
        "HTTP/1.1 200 OK\r\ncontent-le",
        "ngth: 8\r\n\r\nfour",
        "mor",
    ] {
        begun.peer.write(part).await.unwrap();
        settle().await;
        // Nothing is there to be read: the read does not end.
        let next = tokio::time::timeout(crate::support::secs(1), begun.peer.read_exact_body(1));
        next.await.unwrap_err();
    }
    begun.peer.write("e").await.unwrap();
    let (response, mut peer) = begun.head().await;
    assert_eq!(read(response).await.unwrap(), "fourmore");
    assert_eq!(echo(&mut peer).await, "/next");
    assert_eq!(answer_to(waiting).await.unwrap(), "/next");
    assert_eq!(scripted.network.dials(), 1);
}

/// H1-21
#[tokio::test(start_paused = true)]
async fn a_reset_is_another_error_at_each_stage_and_always_the_end_of_the_connection() {
    // Before the request: the dial has failed.
    let scripted = Scripted::new();
    let sent = send(&scripted.transport, get(A));
    // A task of its own runs before the connection's.
    let resets = async {
        scripted.listener.accept().await.reset();
        scripted.listener
    };
    let scripted = Scripted {
        listener: tokio::spawn(resets).await.unwrap(),
        ..scripted
    };
    let error = failure_of(sent).await;
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!(error.phase(), Some(Phase::Dial));
    assert_eq!(error.request_sent(), RequestSent::No);
    settle().await;
    assert_eq!(scripted.network.open_connections(), 0);

    // After the request.
    let begun = scripted.begin(get(A)).await;
    begun.peer.reset();
    let error = failure_of(begun.sent).await;
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!(error.phase(), Some(Phase::Exchange));
    assert_eq!(error.request_sent(), RequestSent::Maybe);
    settle().await;
    assert_eq!(scripted.network.open_connections(), 0);

    // In the body.
    let mut begun = scripted.begin(get(A)).await;
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nfour";
    begun.peer.write(answer).await.unwrap();
    let (response, peer) = begun.head().await;
    let mut body = response.into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "four"
    );
    peer.reset();
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!(error.phase(), Some(Phase::Body));
    assert_eq!(error.request_sent(), RequestSent::Yes);
    settle().await;
    assert_eq!(scripted.network.open_connections(), 0);
    scripted.assert_works().await;
}

/// H1-21
#[tokio::test(start_paused = true)]
async fn a_reset_in_the_midst_of_an_upload_may_have_been_sent() {
    let scripted = Scripted::new();
    let (mut upload, request) = streaming_post(A);
    let begun = scripted.begin(request).await;
    upload.send_data(Bytes::from("half")).await.unwrap();
    begun.peer.reset();
    let error = failure_of(begun.sent).await;
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!(error.request_sent(), RequestSent::Maybe);
    settle().await;
    assert_eq!(stats(&scripted.transport).active, 0);
    upload.send_data(Bytes::from("rest")).await.unwrap_err();
    scripted.assert_works().await;
}

/// H1-22
#[tokio::test(start_paused = true)]
async fn a_status_of_failure_does_not_end_the_connection() {
    for status in [
        "400 Bad", "404 None", "429 Slow", "500 Oh", "502 Ah", "503 Eh", "599 Uh",
    ] {
        let scripted = Scripted::new();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 4\r\n\r\nbody");
        let exchanged = scripted.exchange_of(post(A, "upload"), answer).await;
        assert_eq!(exchanged.answer.unwrap(), "body");
        let mut peer = exchanged.peer;
        peer.read_exact_body(6).await.unwrap();
        scripted.assert_reused(peer).await;
    }
}

fn connect(body: impl Into<Body>) -> Request<Body> {
    let mut request = post(A, body);
    *request.method_mut() = Method::CONNECT;
    request
}

/// H1-24
#[tokio::test(start_paused = true)]
async fn a_tunnel_that_was_refused_ends_the_connection() {
    for answer in [
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno",
        "HTTP/1.1 407 Who\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 502 Down\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
    ] {
        let scripted = Scripted::new();
        let exchanged = scripted.exchange_of(connect(Body::empty()), answer).await;
        exchanged.answer.unwrap();
        scripted.assert_closed(exchanged.peer).await;
    }
}

/// H1-24: what follows the head of a CONNECT is the tunnel's (RFC 9110, 9.3.6).
#[tokio::test(start_paused = true)]
async fn a_tunnel_is_not_asked_for_with_a_body() {
    let scripted = Scripted::new();
    let (_upload, mut streaming) = streaming_post(A);
    *streaming.method_mut() = Method::CONNECT;
    for request in [connect("body"), streaming] {
        let error = failure_of(send(&scripted.transport, request)).await;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
    assert_eq!(scripted.network.dials(), 0);
}

/// H1-24
#[tokio::test(start_paused = true)]
async fn a_tunnel_that_nobody_takes_up_ends_with_its_response() {
    let scripted = Scripted::new();
    let sent = send(&scripted.transport, connect(Body::empty()));
    let mut peer = accept(&scripted.listener).await;
    path(&mut peer).await;
    peer.write("HTTP/1.1 200 OK\r\n\r\nraw").await.unwrap();
    let response = sent.await.unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    drop(response);
    settle().await;
    scripted.assert_closed(peer).await;
}
