//! What goes wrong with TLS.

use std::sync::Arc;

use rustls::{CertificateError, ClientConfig};
use tokio_rustls::client::TlsStream;

use super::*;
use crate::Ca;
use crate::clients::{http1, http2, tls};
use crate::faults::{At, ConnectionFault, End, Fault};
use crate::memory::MemoryStream;

const NAME: &str = "api.example.com";
const SECURE: &str = "api.example.com:443";
const ALPN: &[&[u8]] = &[b"h2", b"http/1.1"];

/// A server with a certificate that is right, and the client's configuration.
fn start(ca: &Ca, script: FaultServerBuilder) -> (Network, FaultServer, Arc<ClientConfig>) {
    let network = Network::new();
    let script = script.tls(ca.server_config(&[NAME], ALPN));
    let server = script.start_on(network.listen(SECURE));
    (network, server, ca.client_config(ALPN))
}

async fn handshake(
    network: &Network,
    config: Arc<ClientConfig>,
) -> io::Result<TlsStream<MemoryStream>> {
    tls(config, NAME, network.dial(SECURE).await.unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn the_protocol_is_chosen_by_alpn_and_faults_are_the_same() {
    let ca = Ca::new();
    let script = hello().requests(1.., Fault::Reset(At::Body(2)));
    for alpn in [ALPN, &ALPN[1..], &[]] {
        let (network, server, _) = start(&ca, script.clone());
        assert_eq!(server.url("/a"), "https://api.example.com:443/a");
        let io = handshake(&network, ca.client_config(alpn)).await.unwrap();
        let mut client = match alpn.len() {
            2 => Client::Http2(http2(io).await),
            _ => Client::Http1(http1(io).await),
        };
        let response = client.send(get()).await.unwrap();
        assert_eq!(body(response).await.unwrap(), "hello");
        let mut body = client.send(get()).await.unwrap().into_body();
        assert_eq!(piece(&mut body).await.unwrap(), "he");
        assert_reset(&piece(&mut body).await.unwrap_err());
        let stats = server.until(|stats| stats.open == 0).await;
        assert_eq!((stats.requests, stats.failed_handshakes), (2, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_is_reset_or_closed() {
    let ca = Ca::new();
    for (end, kind) in [
        (End::Reset, io::ErrorKind::ConnectionReset),
        (End::Close, io::ErrorKind::UnexpectedEof),
    ] {
        for after in [0, 100] {
            let fault = ConnectionFault::Handshake { after, end };
            let (network, server, config) = start(&ca, hello().connection(0, fault));
            let error = handshake(&network, config.clone()).await.unwrap_err();
            assert_eq!(error.kind(), kind);
            let stats = server.until(|stats| stats.open == 0).await;
            assert_eq!(
                (stats.failed_handshakes, stats.bytes_out),
                (1, after as u64)
            );
            assert!(stats.bytes_in > 100);
            handshake(&network, config).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_stalls() {
    let ca = Ca::new();
    let end = End::Stall;
    for after in [0, 100] {
        let fault = ConnectionFault::Handshake { after, end };
        let (network, server, config) = start(&ca, hello().connection(0, fault));
        let stalled = timeout(3600 * SECOND, handshake(&network, config)).await;
        assert!(stalled.is_err(), "{stalled:?}");
        // It was given up, and the server notices.
        let stats = server.until(|stats| stats.open == 0).await;
        assert_eq!(
            (stats.failed_handshakes, stats.bytes_out),
            (1, after as u64)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_shorter_than_the_script_is_broken_off_at_its_end() {
    let ca = Ca::new();
    let fault = ConnectionFault::Handshake {
        after: 100_000,
        end: End::Reset,
    };
    let (network, server, config) = start(&ca, hello().connection(0, fault));
    let io = handshake(&network, config).await.unwrap();
    let mut client: Http1 = http1(io).await;
    client.send_request(get()).await.unwrap_err();
    assert_eq!(server.until(|stats| stats.open == 0).await.requests, 0);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_of_another_name_or_expired_or_of_a_stranger() {
    let ca = Ca::new();
    let wrong_name = ca.server_config(&["other.example.com"], ALPN);
    let expired = ca.issue_expired(&[NAME]).server_config(ALPN);
    let stranger = Ca::new().server_config(&[NAME], ALPN);
    type Check = fn(&CertificateError) -> bool;
    let cases: [(_, Check); 3] = [
        (wrong_name, |error| {
            use CertificateError::{NotValidForName, NotValidForNameContext};
            matches!(error, NotValidForName | NotValidForNameContext { .. })
        }),
        (expired, |error| {
            use CertificateError::{Expired, ExpiredContext};
            matches!(error, Expired | ExpiredContext { .. })
        }),
        (stranger, |error| {
            // All authorities of this kit have one name, so the signature tells them apart.
            matches!(error, CertificateError::BadSignature)
        }),
    ];
    for (shown, check) in cases {
        let script = hello().connection(0, ConnectionFault::Certificate(shown));
        let (network, server, config) = start(&ca, script);
        let error = handshake(&network, config.clone()).await.unwrap_err();
        let inner = error.get_ref().unwrap().downcast_ref().unwrap();
        let rustls::Error::InvalidCertificate(why) = inner else {
            panic!("{inner:?}");
        };
        assert!(check(why), "{why:?}");
        server.until(|stats| stats.failed_handshakes == 1).await;
        handshake(&network, config).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn plain_http_is_spoken_where_tls_is_expected() {
    let ca = Ca::new();
    let (network, server, config) = start(&ca, hello().connection(0, ConnectionFault::PlainHttp));
    let error = handshake(&network, config).await.unwrap_err();
    let inner = error.get_ref().unwrap().downcast_ref().unwrap();
    assert!(
        matches!(inner, rustls::Error::InvalidMessage(_)),
        "{inner:?}"
    );
    let stats = server.until(|stats| stats.open == 0).await;
    assert_eq!((stats.failed_handshakes, stats.requests), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_is_right_may_be_shown_by_the_script_too() {
    let ca = Ca::new();
    let other = ca.server_config(&[NAME], &[b"http/1.1"]);
    let script = hello().connection(0, ConnectionFault::Certificate(other));
    let (network, _server, config) = start(&ca, script);
    let io = handshake(&network, config).await.unwrap();
    assert_eq!(io.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let response = http1(io).await.send_request(get()).await.unwrap();
    assert_eq!(response.status(), 200);
}
