use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;
use crate::memory::Network;

#[tokio::test]
async fn a_client_of_http2_is_answered_frame_by_frame() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let io = TokioIo::new(network.dial("a.test:80").await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("http://a.test/")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let answer = tokio::spawn(sender.send_request(request));
    let limit = (setting::MAX_CONCURRENT_STREAMS, 7);
    let mut peer = H2Peer::accept(listener.accept().await, &[limit])
        .await
        .unwrap();
    let settings = peer.next(kind::SETTINGS).await.unwrap();
    assert!(settings.settings().contains(&(setting::ENABLE_PUSH, 0)));
    let stream = peer.request().await.unwrap();
    assert_eq!(stream, 1);
    peer.respond(stream, "body").await.unwrap();
    let response = answer.await.unwrap().unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "body");
    peer.go_away(stream, code::NO_ERROR).await.unwrap();
    peer.closed().await;
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_no_http2_is_refused() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let mut client = network.dial("a.test:80").await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n";
    client.write_all(request).await.unwrap();
    let error = H2Peer::accept(listener.accept().await, &[])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn long_fields_have_lengths_of_several_bytes() {
    let value = "y".repeat(127 + 128 + 3);
    let block = fields_of(&[("x", &value)]);
    assert_eq!(block[..6], [0, 1, b'x', 127, 131, 1]);
    assert_eq!(block.len(), 6 + value.len());
}
