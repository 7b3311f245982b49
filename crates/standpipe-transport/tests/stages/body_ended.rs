//! Body ended: the connection is back in the pool, or closed.

use bytes::Bytes;
use http::{Method, Request};
use standpipe_core::{Body, Error, ErrorKind, Phase, RequestSent};
use standpipe_test::Peer;
use standpipe_test::memory::{MemoryStream, Network};
use standpipe_transport::Transport;

use crate::support::{
    A, accept, answer_to, echo, get, over, path, read, send, settle, stats, until,
};

/// One exchange on a new connection.
struct Exchange {
    network: Network,
    transport: Transport,
    peer: Peer<MemoryStream>,
    body: Result<Bytes, Error>,
}

impl Exchange {
    /// Sends `request`, answers it with the bytes of `answer` and reads the response.
    async fn of(request: Request<Body>, answer: &str) -> Self {
        let network = Network::new();
        let listener = network.listen("a.test:80");
        let transport = over(&network).build().unwrap();
        let sent = send(&transport, request);
        let mut peer = accept(&listener).await;
        path(&mut peer).await;
        peer.write(answer).await.unwrap();
        let body = read(sent.await.unwrap().unwrap()).await;
        settle().await;
        Self {
            network,
            transport,
            peer,
            body,
        }
    }

    /// The connection carries another request, and its answer is the right one.
    async fn assert_reused(mut self, body: &str) {
        assert_eq!(self.body.unwrap(), body);
        assert_eq!(stats(&self.transport).idle, 1);
        let next = send(&self.transport, get("http://a.test/next"));
        assert_eq!(echo(&mut self.peer).await, "/next");
        assert_eq!(answer_to(next).await.unwrap(), "/next");
        assert_eq!(self.network.dials(), 1);
    }

    /// The client has closed the connection, which counts no longer.
    async fn assert_closed(mut self, body: &str) {
        assert_eq!(self.body.unwrap(), body);
        let stats = stats(&self.transport);
        assert_eq!((stats.active, stats.idle), (0, 0));
        self.peer.closed().await;
        assert_eq!(self.network.open_connections(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_in_order_is_used_again() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        // H1-22
        "HTTP/1.1 500 Oh\r\ncontent-length: 4\r\n\r\nbody",
        // H1-06
        "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody",
    ] {
        Exchange::of(get(A), answer)
            .await
            .assert_reused("body")
            .await;
    }
}

/// H1-01
#[tokio::test(start_paused = true)]
async fn connection_close_in_the_response_ends_it() {
    let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbody";
    Exchange::of(get(A), answer)
        .await
        .assert_closed("body")
        .await;
}

/// H1-01
#[tokio::test(start_paused = true)]
async fn connection_close_in_the_request_ends_it() {
    let mut request = get(A);
    let close = "close".parse().unwrap();
    request.headers_mut().insert("connection", close);
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody";
    Exchange::of(request, answer)
        .await
        .assert_closed("body")
        .await;
}

/// H1-02
#[tokio::test(start_paused = true)]
async fn http_1_0_is_used_again_only_with_keep_alive() {
    let answer = "HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\nbody";
    Exchange::of(get(A), answer)
        .await
        .assert_closed("body")
        .await;
    let answer = "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 4\r\n\r\nbody";
    let kept = Exchange::of(get(A), answer).await;
    assert_eq!(kept.body.as_ref().unwrap(), "body");
    assert_eq!(stats(&kept.transport).idle, 1);
}

/// H1-03
#[tokio::test(start_paused = true)]
async fn a_body_delimited_by_the_close_is_delivered_in_full() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    peer.write("HTTP/1.1 200 OK\r\n\r\nall of ").await.unwrap();
    let response = sent.await.unwrap().unwrap();
    assert_eq!(stats(&transport).active, 1);
    peer.write("it").await.unwrap();
    peer.close().await.unwrap();
    assert_eq!(read(response).await.unwrap(), "all of it");
    settle().await;
    let stats = stats(&transport);
    assert_eq!((stats.active, stats.idle), (0, 0));
    assert_eq!(network.open_connections(), 0);
}

/// H1-04
#[tokio::test(start_paused = true)]
async fn the_answer_to_head_has_no_body_whatever_its_length_says() {
    let mut request = get(A);
    *request.method_mut() = Method::HEAD;
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";
    Exchange::of(request, answer).await.assert_reused("").await;
}

/// H1-05
#[tokio::test(start_paused = true)]
async fn statuses_without_a_body_have_none_whatever_their_headers_say() {
    for answer in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n",
    ] {
        Exchange::of(get(A), answer).await.assert_reused("").await;
    }
}

/// H1-10
#[tokio::test(start_paused = true)]
async fn a_truncated_body_is_an_error_and_ends_the_connection() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n01234\r\n",
    ] {
        let network = Network::new();
        let listener = network.listen("a.test:80");
        let transport = over(&network).build().unwrap();
        let sent = send(&transport, get(A));
        let mut peer = accept(&listener).await;
        path(&mut peer).await;
        peer.write(answer).await.unwrap();
        peer.close().await.unwrap();
        let error = read(sent.await.unwrap().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
        assert_eq!(error.phase(), Some(Phase::Body));
        assert_eq!(error.request_sent(), RequestSent::Yes);
        assert!(!error.calls_for_resend());
        until(|| network.open_connections() == 0).await;
        let stats = stats(&transport);
        assert_eq!((stats.active, stats.idle), (0, 0));
    }
}

/// H1-11
#[tokio::test(start_paused = true)]
async fn surplus_bytes_are_no_part_of_the_body_and_end_the_connection() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbodySURPLUS";
    Exchange::of(get(A), answer)
        .await
        .assert_closed("body")
        .await;
}

/// IDLE-05
#[tokio::test(start_paused = true)]
async fn a_second_answer_sent_along_is_never_taken_for_the_next_request() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let one = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine";
    let planted = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen";
    peer.write(format!("{one}{planted}")).await.unwrap();
    // No task runs between the answer and the next request.
    assert_eq!(answer_to(sent).await.unwrap(), "mine");
    let next = send(&transport, get("http://a.test/next"));
    let mut fresh = accept(&listener).await;
    assert_eq!(echo(&mut fresh).await, "/next");
    assert_eq!(answer_to(next).await.unwrap(), "/next");
}
