//! What the transport sends again by itself: a request of which nothing was written.

use http::{Method, Request, Version};
use standpipe_core::{Body, ErrorKind, RequestSent};
use standpipe_test::Peer;
use standpipe_test::memory::MemoryStream;

use crate::scripted::{Scripted, streaming_post};
use crate::support::{A, accept, answer_to, echo, failure_of, get, post, send, settle, stats};

/// A transport whose one connection idles and is dead, which nobody has noticed.
async fn with_a_stale_connection() -> Scripted {
    let scripted = Scripted::new();
    let exchanged = scripted
        .exchange("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .await;
    assert_eq!(stats(&scripted.transport).idle, 1);
    drop(exchanged.peer);
    scripted
}

async fn finish(scripted: &Scripted, sent: crate::support::Sent, mut peer: Peer<MemoryStream>) {
    peer.respond("200 OK", "done").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "done");
    assert_eq!(stats(&scripted.transport).resent, 1);
    assert_eq!(scripted.network.dials(), 2);
}

/// STALE-01: nothing was written, so the method does not matter.
#[tokio::test(start_paused = true)]
async fn a_request_of_any_method_goes_out_on_another_connection() {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "WEIRD"] {
        let scripted = with_a_stale_connection().await;
        let mut request = post(A, "body");
        *request.method_mut() = method.parse().unwrap();
        let begun = scripted.begin(request).await;
        assert!(begun.head.starts_with(method), "{}", begun.head);
        let mut peer = begun.peer;
        assert_eq!(peer.read_exact_body(4).await.unwrap(), "body");
        finish(&scripted, begun.sent, peer).await;
    }
}

/// STALE-01, STALE-07: a stream that was not begun is still whole.
#[tokio::test(start_paused = true)]
async fn a_body_that_can_be_sent_once_is_sent_once() {
    let scripted = with_a_stale_connection().await;
    let (mut upload, request) = streaming_post(A);
    let begun = scripted.begin(request).await;
    upload.send_data("body".into()).await.unwrap();
    drop(upload);
    let mut peer = begun.peer;
    let body = "4\r\nbody\r\n0\r\n\r\n";
    assert_eq!(peer.read_exact_body(body.len()).await.unwrap(), body);
    finish(&scripted, begun.sent, peer).await;
}

/// STALE-09
#[tokio::test(start_paused = true)]
async fn what_goes_out_again_is_the_same_to_the_byte() {
    let request = || {
        let mut request = Request::builder()
            .method(Method::PUT)
            .uri("http://A.test:80/a//b/%2e%2e/?q=1&q=2")
            .header("x-twice", "one")
            .header("x-twice", "two")
            .header("content-length", "8")
            .header("expect", "nothing")
            .body(Body::from("the body"))
            .unwrap();
        *request.version_mut() = Version::HTTP_11;
        request
    };
    let fresh = Scripted::new();
    let mut plain = fresh.begin(request()).await;
    let scripted = with_a_stale_connection().await;
    let mut again = scripted.begin(request()).await;
    assert_eq!(plain.head, again.head);
    assert_eq!(again.head.matches("host: ").count(), 1);
    let bodies = [&mut plain.peer, &mut again.peer];
    for peer in bodies {
        assert_eq!(peer.read_exact_body(8).await.unwrap(), "the body");
        assert_eq!(peer.surplus(), b"");
    }
    finish(&scripted, again.sent, again.peer).await;
}

/// STALE-09: for each method whose head the transport has to add to.
#[tokio::test(start_paused = true)]
async fn what_the_transport_added_is_not_added_twice() {
    let requests = [
        |method: Method| {
            let (_, mut request) = streaming_post("http://a.test/x?y");
            *request.method_mut() = method;
            request
        },
        |method: Method| {
            let mut request = get("http://a.test");
            *request.method_mut() = method;
            request
        },
    ];
    for make in requests {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS] {
            let fresh = Scripted::new();
            let plain = fresh.begin(make(method.clone())).await;
            let scripted = with_a_stale_connection().await;
            let again = scripted.begin(make(method)).await;
            assert_eq!(plain.head, again.head);
        }
    }
    let tunnel = || {
        let mut request = get("http://a.test/");
        *request.method_mut() = Method::CONNECT;
        request
    };
    let plain = Scripted::new().begin(tunnel()).await.head;
    let again = with_a_stale_connection().await.begin(tunnel()).await.head;
    assert_eq!(plain, again);
}

/// STALE-05, STALE-08
#[tokio::test(start_paused = true)]
async fn after_its_stale_connections_a_request_meets_a_closing_server_once() {
    let scripted = with_a_stale_connection().await;
    let listener = scripted.listener;
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    let error = failure_of(send(&scripted.transport, post(A, "body"))).await;
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!(error.request_sent(), RequestSent::No);
    settle().await;
    assert_eq!(scripted.network.dials(), 2, "no loop");
}

/// STALE-08: a server that closes after each answer never makes a request go round in circles.
#[tokio::test(start_paused = true)]
async fn a_server_that_closes_unnoticed_after_each_answer_costs_one_dial_each() {
    let scripted = Scripted::new();
    for n in 1..=50 {
        let sent = send(&scripted.transport, post(A, "body"));
        let mut peer = accept(&scripted.listener).await;
        echo(&mut peer).await;
        answer_to(sent).await.unwrap();
        settle().await;
        drop(peer);
        assert_eq!(scripted.network.dials(), n);
    }
}

/// STALE-02: a close that was noticed costs no resend at all.
#[tokio::test(start_paused = true)]
async fn a_connection_seen_to_be_closed_is_not_tried() {
    let scripted = with_a_stale_connection().await;
    settle().await;
    assert_eq!(stats(&scripted.transport).idle, 0);
    scripted.assert_works().await;
    assert_eq!(stats(&scripted.transport).resent, 0);
}
