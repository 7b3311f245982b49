//! Every setting of TLS is part of a connection's identity.

use standpipe_core::ErrorKind;
use standpipe_test::Ca;
use standpipe_test::memory::Network;
use standpipe_transport::{Protocol, TlsConfig};

use crate::support::{echoing, fetch, get, over, settle, stats, trusting};

const URL: &str = "https://a.test/";

/// TLS-02
#[tokio::test(start_paused = true)]
async fn no_setting_of_tls_shares_a_connection_with_another() {
    let (network, ca) = (Network::new(), Ca::new());
    let server = echoing().tls(ca.server_config(&["a.test", "b.test"], &[b"h2", b"http/1.1"]));
    let server = server.start_on(network.listen("a.test:443"));
    let plain = over(&network).tls(trusting(&ca)).build().unwrap();
    let (chain, key) = ca.client_certificate();
    let variants = [
        trusting(&ca).roots([Ca::new().certificate_der()]),
        trusting(&ca).client_certificate(chain, key),
        trusting(&ca).server_name("b.test"),
        trusting(&ca).server_name("a.test"),
        TlsConfig::from_rustls(ca.client_config(&[])),
        trusting(&ca),
    ];
    fetch(&plain, get(URL)).await.unwrap();
    let variants = variants.map(|tls| plain.with_tls(tls));
    for (n, other) in variants.iter().enumerate() {
        fetch(other, get(URL)).await.unwrap();
        assert_eq!(server.stats().connections, n + 2, "variant {n}");
    }
    // And each its own again.
    fetch(&plain, get(URL)).await.unwrap();
    for other in &variants {
        fetch(other, get(URL)).await.unwrap();
    }
    settle().await;
    assert_eq!(server.stats().requests_per_connection, [2; 7]);
}

/// TLS-02: one that verifies never gets the connection of one that does not.
#[tokio::test(start_paused = true)]
async fn a_connection_that_was_not_verified_is_not_for_those_who_verify() {
    let (network, ca) = (Network::new(), Ca::new());
    let server = echoing().tls(ca.server_config(&["wrong.test"], &[b"h2"]));
    let server = server.start_on(network.listen("a.test:443"));
    let trusting_all = TlsConfig::default().danger_accept_invalid_certs(true);
    let careless = over(&network).tls(trusting_all).build().unwrap();
    fetch(&careless, get(URL)).await.unwrap();
    assert_eq!(stats(&careless).idle, 1);
    let careful = careless.with_tls(trusting(&ca));
    let error = fetch(&careful, get(URL)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert_eq!(server.stats().requests, 1);
}

/// TLS-02: what is agreed on by ALPN is one transport's own.
#[tokio::test(start_paused = true)]
async fn protocols_that_may_be_spoken_are_not_shared_either() {
    let (network, ca) = (Network::new(), Ca::new());
    let server = echoing().tls(ca.server_config(&["a.test"], &[b"h2", b"http/1.1"]));
    let server = server.start_on(network.listen("a.test:443"));
    for protocol in [Protocol::Http1, Protocol::Http2, Protocol::Auto] {
        let transport = over(&network).tls(trusting(&ca)).protocol(protocol);
        fetch(&transport.build().unwrap(), get(URL)).await.unwrap();
    }
    assert_eq!(server.stats().connections, 3);
}

/// TLS-05: HTTP/1.1 alone is never spoken as HTTP/2, whatever the server prefers.
#[tokio::test(start_paused = true)]
async fn a_protocol_that_was_not_offered_is_never_spoken() {
    let (network, ca) = (Network::new(), Ca::new());
    let server = echoing().tls(ca.server_config(&["a.test"], &[b"h2", b"http/1.1"]));
    let _server = server.start_on(network.listen("a.test:443"));
    let transport = over(&network).tls(trusting(&ca)).protocol(Protocol::Http1);
    let transport = transport.build().unwrap();
    let response = crate::support::head_of(&transport, get(URL)).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_11);
}
