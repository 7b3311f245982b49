//! Head delivered: the caller has the response.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Full};
use standpipe_core::{Body, Error};
use standpipe_test::Server;
use standpipe_test::memory::Network;

use crate::support::{
    A, accept, answer_to, echo, get, head_of, over, over_http2, path, read, send, settle, stats,
};

/// H1-23
#[tokio::test(start_paused = true)]
async fn the_lease_is_back_at_the_head_when_the_body_came_with_it() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).max_idle_per_host(1);
    let transport = transport.max_connections_per_host(1).build().unwrap();
    let first = send(&transport, get("http://a.test/first"));
    let mut peer = accept(&listener).await;
    echo(&mut peer).await;
    let unread = first.await.unwrap().unwrap();
    let now = stats(&transport);
    assert_eq!((now.active, now.idle), (0, 1), "before the body is read");
    let second = send(&transport, get("http://a.test/second"));
    echo(&mut peer).await;
    assert_eq!(answer_to(second).await.unwrap(), "/second");
    assert_eq!(read(unread).await.unwrap(), "/first");
    assert_eq!(network.dials(), 1);
}

/// The lease goes along with a body that is still to come.
#[tokio::test(start_paused = true)]
async fn a_streaming_body_holds_its_connection_until_its_end() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234")
        .await
        .unwrap();
    let mut body = sent.await.unwrap().unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "01234");
    assert_eq!(stats(&transport).active, 1);
    peer.write("56789").await.unwrap();
    let second = body.frame().await.unwrap().unwrap();
    assert_eq!(second.into_data().unwrap(), "56789");
    settle().await;
    let stats = stats(&transport);
    assert_eq!((stats.active, stats.idle), (0, 1), "before `None` is read");
}

/// CAN-09
#[tokio::test(start_paused = true)]
async fn a_body_dropped_half_read_closes_the_connection() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234")
        .await
        .unwrap();
    let mut body = sent.await.unwrap().unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    // The server has not finished, and is not waited for.
    peer.closed().await;
    settle().await;
    let stats = stats(&transport);
    assert_eq!((stats.active, stats.idle), (0, 0));
    assert_eq!(network.open_connections(), 0);
}

/// H1-16
#[tokio::test(start_paused = true)]
async fn a_body_dropped_half_read_keeps_the_connection_where_the_rest_is_there() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234")
        .await
        .unwrap();
    let mut body = sent.await.unwrap().unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    peer.write("56789").await.unwrap();
    settle().await;
    drop(body);
    settle().await;
    assert_eq!(stats(&transport).idle, 1);
    let next = send(&transport, get("http://a.test/next"));
    echo(&mut peer).await;
    assert_eq!(answer_to(next).await.unwrap(), "/next");
    assert_eq!(network.dials(), 1);
}

/// CAN-09
#[tokio::test(start_paused = true)]
async fn a_body_dropped_half_read_resets_its_http2_stream_alone() {
    let network = Network::new();
    let server = Server::builder().http2();
    // More than the stream's window, so that it can not all have arrived.
    let server = server
        .handler(|_| async { Response::new(Full::from(Bytes::from(vec![0; 8 * 1024 * 1024]))) });
    let server = server.start_on(network.listen("a.test:80"));
    let transport = over_http2(&network).build().unwrap();
    for _ in 0..10 {
        let mut body = head_of(&transport, get(A)).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        drop(body);
    }
    settle().await;
    let stats = stats(&transport);
    assert_eq!((stats.active, stats.idle, stats.streams), (0, 1, 0));
    assert_eq!(server.stats().connections, 1);
}

/// A POST whose body the test sends bit by bit.
fn upload() -> (Sender<Bytes, Error>, Request<Body>) {
    let (sender, body) = Channel::<Bytes, Error>::new(4);
    (sender, Request::post(A).body(Body::new(body)).unwrap())
}

/// H1-09
#[tokio::test(start_paused = true)]
async fn an_upload_that_outlives_the_response_holds_the_connection() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let (mut upload, request) = upload();
    let sent = send(&transport, request);
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    upload.send_data(Bytes::from("half")).await.unwrap();
    peer.respond("200 OK", "early").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "early");
    settle().await;
    let now = stats(&transport);
    assert_eq!((now.active, now.idle), (1, 0), "the upload goes on");
    upload.send_data(Bytes::from("rest")).await.unwrap();
    drop(upload);
    settle().await;
    let now = stats(&transport);
    assert_eq!((now.active, now.idle), (0, 1), "both have ended");
    let uploaded = peer
        .read_exact_body("4\r\nhalf\r\n4\r\nrest\r\n0\r\n\r\n".len())
        .await
        .unwrap();
    assert!(uploaded.ends_with(b"0\r\n\r\n"), "{uploaded:?}");
    let next = send(&transport, get("http://a.test/next"));
    echo(&mut peer).await;
    assert_eq!(answer_to(next).await.unwrap(), "/next");
}

/// H1-08
#[tokio::test(start_paused = true)]
async fn an_error_answered_before_the_upload_ends_is_delivered_and_closes_the_connection() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let (mut upload, request) = upload();
    let sent = send(&transport, request);
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    upload.send_data(Bytes::from("half")).await.unwrap();
    peer.respond("413 Content Too Large", "no").await.unwrap();
    let response = sent.await.unwrap().unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(read(response).await.unwrap(), "no");
    peer.closed().await;
    settle().await;
    let stats = stats(&transport);
    assert_eq!((stats.active, stats.idle), (0, 0));
}
