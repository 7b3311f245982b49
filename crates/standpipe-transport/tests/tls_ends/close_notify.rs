//! How a connection over TLS ends: with its farewell, or cut off.

use standpipe_core::{ErrorKind, Phase};
use standpipe_test::memory::{Listener, MemoryStream, Network};
use standpipe_test::{Ca, Peer};
use standpipe_transport::Transport;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::support::{answer_to, get, over, read, send, settle, stats, trusting, until};

const URL: &str = "https://a.test/";

struct Tls {
    network: Network,
    listener: Listener,
    transport: Transport,
    acceptor: TlsAcceptor,
}

impl Tls {
    fn new() -> Self {
        let (network, ca) = (Network::new(), Ca::new());
        let transport = over(&network).tls(trusting(&ca)).build().unwrap();
        Self {
            listener: network.listen("a.test:443"),
            acceptor: TlsAcceptor::from(ca.server_config(&["a.test"], &[b"http/1.1"])),
            network,
            transport,
        }
    }

    async fn accept(&self) -> Peer<TlsStream<MemoryStream>> {
        let stream = self.listener.accept().await;
        Peer::new(self.acceptor.accept(stream).await.unwrap())
    }
}

/// Ends the TCP connection without a word of TLS.
async fn cut(peer: Peer<TlsStream<MemoryStream>>) {
    let (mut stream, _) = peer.into_inner().into_inner();
    stream.shutdown().await.unwrap();
}

/// TLS-04
#[tokio::test(start_paused = true)]
async fn a_body_of_known_length_is_whole_without_a_farewell() {
    let tls = Tls::new();
    let sent = send(&tls.transport, get(URL));
    let mut peer = tls.accept().await;
    peer.read_head().await.unwrap();
    peer.respond("200 OK", "whole").await.unwrap();
    cut(peer).await;
    assert_eq!(answer_to(sent).await.unwrap(), "whole");
    until(|| tls.network.open_connections() == 0).await;
    let now = stats(&tls.transport);
    assert_eq!((now.active, now.idle), (0, 0));
}

/// TLS-04: who cut the line may have cut the body (RFC 9112, 9.8).
#[tokio::test(start_paused = true)]
async fn a_body_delimited_by_the_close_is_truncated_without_a_farewell() {
    let tls = Tls::new();
    let sent = send(&tls.transport, get(URL));
    let mut peer = tls.accept().await;
    peer.read_head().await.unwrap();
    peer.write("HTTP/1.1 200 OK\r\n\r\nhalf of").await.unwrap();
    let response = sent.await.unwrap().unwrap();
    cut(peer).await;
    let error = read(response).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!(error.phase(), Some(Phase::Body));
    settle().await;
    assert_eq!(tls.network.open_connections(), 0);
}

/// TLS-04
#[tokio::test(start_paused = true)]
async fn a_body_delimited_by_the_close_is_whole_with_a_farewell() {
    let tls = Tls::new();
    let sent = send(&tls.transport, get(URL));
    let mut peer = tls.accept().await;
    peer.read_head().await.unwrap();
    peer.write("HTTP/1.1 200 OK\r\n\r\nall of it")
        .await
        .unwrap();
    peer.close().await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "all of it");
    settle().await;
    assert_eq!(tls.network.open_connections(), 0);
}

/// TLS-04: an idle connection that is cut off is no more used than one that said farewell.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_gone_with_a_farewell_or_without() {
    for farewell in [true, false] {
        let tls = Tls::new();
        let sent = send(&tls.transport, get(URL));
        let mut peer = tls.accept().await;
        peer.read_head().await.unwrap();
        peer.respond("200 OK", "one").await.unwrap();
        answer_to(sent).await.unwrap();
        settle().await;
        assert_eq!(stats(&tls.transport).idle, 1);
        if farewell {
            peer.close().await.unwrap();
        } else {
            cut(peer).await;
        }
        settle().await;
        assert_eq!(stats(&tls.transport).idle, 0);
        let next = send(&tls.transport, get(URL));
        let mut peer = tls.accept().await;
        peer.read_head().await.unwrap();
        peer.respond("200 OK", "two").await.unwrap();
        assert_eq!(answer_to(next).await.unwrap(), "two");
    }
}
