//! 0-RTT, which whoever listens may send again.

use std::sync::Arc;

use rustls::{ClientConfig, HandshakeKind, ServerConfig};
use standpipe_test::memory::Network;
use standpipe_test::{Ca, Peer};
use standpipe_transport::TlsConfig;
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsAcceptor;

use crate::support::{answer_to, get, over, post, send, settle, stats};

/// TLS-06: not even where the configuration of rustls that was handed in allows it.
#[tokio::test(start_paused = true)]
async fn no_request_is_sent_before_the_handshake_is_over() {
    let (network, ca) = (Network::new(), Ca::new());
    let mut server = ServerConfig::clone(&ca.server_config(&["a.test"], &[b"http/1.1"]));
    server.max_early_data_size = 16 * 1024;
    server.send_half_rtt_data = true;
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let mut client = ClientConfig::clone(&ca.client_config(&[]));
    client.enable_early_data = true;
    let tls = TlsConfig::from_rustls(Arc::new(client));
    let transport = over(&network).tls(tls).build().unwrap();
    let listener = network.listen("a.test:443");
    let mut resumed = Vec::new();
    for request in [
        get("https://a.test/"),
        post("https://a.test/", "once"),
        get("https://a.test/"),
    ] {
        let sent = send(&transport, request);
        let mut stream = acceptor.accept(listener.accept().await).await.unwrap();
        let connection = stream.get_mut().1;
        resumed.push(connection.handshake_kind() == Some(HandshakeKind::Resumed));
        let early = connection.early_data().map(|mut early| {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut early, &mut bytes).unwrap();
            bytes
        });
        assert!(early.is_none_or(|bytes| bytes.is_empty()));
        // The request comes when the handshake is over.
        let mut first = [0; 1];
        stream.read_exact(&mut first).await.unwrap();
        let mut peer = Peer::new(stream);
        peer.read_head().await.unwrap();
        peer.respond("200 OK", "").await.unwrap();
        answer_to(sent).await.unwrap();
        settle().await;
        drop(peer);
        settle().await;
        assert_eq!(stats(&transport).idle, 0);
    }
    assert_eq!(
        resumed,
        [false, true, true],
        "there was a ticket to do it with"
    );
}
