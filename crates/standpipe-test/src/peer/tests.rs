use std::io::ErrorKind;
use std::pin::pin;
use std::task::{Context, Waker};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::Peer;

fn pair() -> (DuplexStream, Peer<DuplexStream>) {
    let (client, server) = duplex(1024);
    (client, Peer::new(server))
}

#[tokio::test]
async fn a_head_ends_with_its_blank_line_and_what_follows_is_kept() {
    let (mut client, mut peer) = pair();
    client
        .write_all(b"POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nbodyGET /two HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let head = peer.read_head().await.unwrap();
    assert_eq!(head, "POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\n");
    assert!(peer.surplus().starts_with(b"bodyGET"));
    assert_eq!(peer.read_exact_body(4).await.unwrap(), "body");
    assert_eq!(peer.read_head().await.unwrap(), "GET /two HTTP/1.1\r\n\r\n");
    assert!(peer.surplus().is_empty());
}

#[tokio::test]
async fn a_head_in_pieces_is_read_whole_even_when_a_read_was_dropped() {
    let (mut client, mut peer) = pair();
    client.write_all(b"GET / HTTP/1.1\r\n\r").await.unwrap();
    {
        let mut dropped = pin!(peer.read_head());
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(dropped.as_mut().poll(cx).is_pending());
    }
    client.write_all(b"\n").await.unwrap();
    assert_eq!(peer.read_head().await.unwrap(), "GET / HTTP/1.1\r\n\r\n");
}

#[tokio::test]
async fn a_client_gone_in_mid_head_or_mid_body_is_an_unexpected_end() {
    let (mut client, mut peer) = pair();
    client.write_all(b"GET / HT").await.unwrap();
    drop(client);
    let error = peer.read_head().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(peer.read_exact_body(8).await.unwrap(), "GET / HT");
    let error = peer.read_exact_body(1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_response_has_its_length_and_the_connection_stays() {
    let (mut client, mut peer) = pair();
    peer.respond("404 Not Found", "gone").await.unwrap();
    peer.write("raw").await.unwrap();
    peer.close().await.unwrap();
    let mut all = String::new();
    client.read_to_string(&mut all).await.unwrap();
    assert_eq!(
        all,
        "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngoneraw"
    );
}

#[tokio::test]
async fn closed_waits_for_the_clients_end_and_keeps_what_came_before() {
    let (mut client, mut peer) = pair();
    client.write_all(b"last words").await.unwrap();
    {
        let mut closed = pin!(peer.closed());
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(closed.as_mut().poll(cx).is_pending());
        drop(client);
        closed.await;
    }
    assert_eq!(peer.surplus(), b"last words");
}

#[tokio::test]
async fn a_peer_in_memory_resets() {
    let network = crate::memory::Network::new();
    let listener = network.listen("example.com:80");
    let mut client = network.dial("example.com:80").await.unwrap();
    Peer::new(listener.accept().await).reset();
    let error = client.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}
