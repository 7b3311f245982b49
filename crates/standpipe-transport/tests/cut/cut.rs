//! What outlasts the grace is cut.

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use standpipe_core::{Body, Error, RequestSent};
use standpipe_test::memory::Network;
use standpipe_transport::CloseReason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::support::{
    A, accept, failure_of, fetch, get, over, over_http2, pass, path, secs, send, settle, stats,
};
use super::{assert_nothing_left, assert_report, assert_shutdown, tasks};

/// DRN-02, DRN-04
#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_cut_with_an_error_that_says_so() {
    for reused in [false, true] {
        let network = Network::new();
        let listener = network.listen("a.test:80");
        let transport = over(&network).build().unwrap();
        let mut peers = Vec::new();
        if reused {
            let first = send(&transport, get(A));
            let mut peer = accept(&listener).await;
            super::support::echo(&mut peer).await;
            super::support::answer_to(first).await.unwrap();
            peers.push(peer);
        }
        let sent = send(&transport, get(A));
        let mut peer = match peers.pop() {
            Some(peer) => peer,
            None => accept(&listener).await,
        };
        path(&mut peer).await;
        let begun = Instant::now();
        assert_report(transport.shutdown(secs(5)).await, 0, 0, 1);
        assert_eq!(begun.elapsed(), secs(5));
        let error = failure_of(sent).await;
        assert_shutdown(&error);
        assert_eq!(error.request_sent(), RequestSent::Maybe);
        assert!(!error.calls_for_resend(), "the pool is closed");
        assert_nothing_left(&network, &transport);
        assert_eq!(stats(&transport).closed.of(CloseReason::Shutdown), 1);
        peer.closed().await;
        drop((listener, peer));
        settle().await;
        assert_eq!(tasks(), 0);
    }
}

/// DRN-02
#[tokio::test(start_paused = true)]
async fn a_body_that_outlasts_the_grace_ends_with_an_error() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc";
    peer.write(head).await.unwrap();
    let response = sent.await.unwrap().unwrap();
    let reading = tokio::spawn(response.into_body().collect());
    assert_report(transport.shutdown(secs(5)).await, 0, 0, 1);
    assert_shutdown(&reading.await.unwrap().unwrap_err());
    assert_nothing_left(&network, &transport);
}

/// DRN-02: nobody reads it, and it is cut all the same.
#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_reads_does_not_hold_the_connection() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc";
    peer.write(head).await.unwrap();
    let response = sent.await.unwrap().unwrap();
    assert_report(transport.shutdown(secs(5)).await, 0, 0, 1);
    assert_nothing_left(&network, &transport);
    let body = response.into_body().collect().await;
    assert_shutdown(&body.unwrap_err());
}

/// DRN-02
#[tokio::test(start_paused = true)]
async fn streams_that_outlast_the_grace_are_cut_with_their_connection() {
    let network = Network::new();
    let server = standpipe_test::Server::builder().http2();
    let server = server.handler(|request| async move {
        if request.uri().path() == "/held" {
            std::future::pending::<()>().await;
        }
        http::Response::new(http_body_util::Full::<Bytes>::from("ok"))
    });
    let _server = server.start_on(network.listen("a.test:80"));
    let transport = over_http2(&network).build().unwrap();
    fetch(&transport, get(A)).await.unwrap();
    let sent = [(); 3].map(|()| send(&transport, get("http://a.test/held")));
    settle().await;
    assert_eq!(stats(&transport).streams, 3);
    assert_report(transport.shutdown(secs(5)).await, 0, 0, 3);
    for sent in sent {
        assert_shutdown(&failure_of(sent).await);
    }
    assert_nothing_left(&network, &transport);
}

/// DRN-02: an upload that goes on after its response has ended.
#[tokio::test(start_paused = true)]
async fn an_upload_that_outlasts_its_response_and_the_grace_is_cut() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let (mut upload, body) = http_body_util::channel::Channel::<Bytes, Error>::new(4);
    let request = Request::post(A).body(Body::new(body)).unwrap();
    let sent = send(&transport, request);
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    peer.respond("200 OK", "early").await.unwrap();
    let response = sent.await.unwrap().unwrap();
    super::support::read(response).await.unwrap();
    upload.send_data(Bytes::from("more")).await.unwrap();
    settle().await;
    assert_eq!(stats(&transport).active, 1);
    assert_report(transport.shutdown(secs(5)).await, 0, 0, 1);
    assert_nothing_left(&network, &transport);
}

/// DRN-02, LIM-16: whoever has it reads an error; the socket goes when he drops it.
#[tokio::test(start_paused = true)]
async fn an_upgraded_connection_is_cut_under_whoever_has_it() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let request = Request::get(A)
        .header("connection", "upgrade")
        .header("upgrade", "chat")
        .body(Body::empty())
        .unwrap();
    let sent = send(&transport, request);
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n";
    peer.write(switch).await.unwrap();
    let response = sent.await.unwrap().unwrap();
    let upgraded = hyper::upgrade::on(response).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(upgraded);
    let (mut reads, mut writes) = tokio::io::split(io);
    let chatting = tokio::spawn(async move { reads.read_u8().await.unwrap_err().kind() });
    // It writes until nobody takes it, and waits for that.
    let filling = tokio::spawn(async move {
        loop {
            if let Err(error) = writes.write_all(&[0; 1024]).await {
                break error.kind();
            }
        }
    });
    pass(secs(1)).await;
    let shutdown = tokio::spawn(transport.shutdown(secs(5)));
    pass(secs(4)).await;
    assert!(!chatting.is_finished(), "it has the grace");
    assert_report(shutdown.await.unwrap(), 0, 0, 1);
    for end in [chatting, filling] {
        let kind = end.await.unwrap();
        assert_eq!(kind, std::io::ErrorKind::ConnectionAborted);
    }
    assert_nothing_left(&network, &transport);
    assert_eq!(stats(&transport).closed.of(CloseReason::Upgraded), 1);
}

/// DRN-02: it is not waited for without end.
#[tokio::test(start_paused = true)]
async fn an_upgraded_connection_that_nobody_drops_leaves_the_shutdown_incomplete() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let request = Request::get(A)
        .header("connection", "upgrade")
        .header("upgrade", "chat")
        .body(Body::empty())
        .unwrap();
    let sent = send(&transport, request);
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n";
    peer.write(switch).await.unwrap();
    let response = sent.await.unwrap().unwrap();
    let upgraded = hyper::upgrade::on(response).await.unwrap();
    let begun = Instant::now();
    let report = transport.shutdown(secs(5)).await;
    assert!(!report.complete);
    assert_eq!((report.cut, begun.elapsed()), (1, secs(6)));
    drop(upgraded);
    settle().await;
    assert_nothing_left(&network, &transport);
}
