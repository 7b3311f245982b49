use http::{Request, Version};
use standpipe_core::Body;
use standpipe_test::memory::Network;
use standpipe_test::proxy::{HttpProxy, SocksProxy};
use standpipe_test::{Ca, Server};
use standpipe_transport::{Protocol, TlsConfig};

use crate::support::{
    accept, answer_to, echoing, fetch, get, head_of, read, send, settle, stats, trusting,
};
use crate::{PROXY, through};

const URL: &str = "https://a.test/path";

fn serve(network: &Network, ca: &Ca, alpn: &[&[u8]]) -> Server {
    let server = echoing().tls(ca.server_config(&["a.test"], alpn));
    server.start_on(network.listen("a.test:443"))
}

/// PRX-05
#[tokio::test(start_paused = true)]
async fn tls_and_http2_work_inside_a_tunnel() {
    for alpn in [&b"h2"[..], b"http/1.1"] {
        let (network, ca) = (Network::new(), Ca::new());
        let server = serve(&network, &ca, &[alpn]);
        let proxy = HttpProxy::start(&network, PROXY);
        let transport = through(&network, "http://proxy.test:3128");
        let transport = transport.tls(trusting(&ca)).build().unwrap();
        for _ in 0..3 {
            let response = head_of(&transport, get(URL)).await.unwrap();
            let h2 = response.version() == Version::HTTP_2;
            assert_eq!(h2, alpn == b"h2");
            assert!(
                response
                    .body()
                    .connection_info()
                    .unwrap()
                    .tls_time
                    .is_some()
            );
            assert_eq!(read(response).await.unwrap(), "/path");
        }
        assert_eq!(server.stats().requests_per_connection, [3]);
        let connect = "CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\n";
        assert_eq!(proxy.heads(), [connect]);
    }
}

/// PRX-05, TLS-02
#[tokio::test(start_paused = true)]
async fn the_settings_of_tls_hold_inside_a_tunnel() {
    let (network, ca) = (Network::new(), Ca::new());
    let wanting = ca.server_config_requiring_client_certificate(&["real.test"], &[b"http/1.1"]);
    let _server = echoing()
        .tls(wanting)
        .start_on(network.listen("a.test:443"));
    let _proxy = HttpProxy::start(&network, PROXY);
    let (chain, key) = ca.client_certificate();
    let tls = trusting(&ca)
        .server_name("real.test")
        .client_certificate(chain, key);
    let transport = through(&network, "http://proxy.test:3128").tls(tls);
    let transport = transport.build().unwrap();
    fetch(&transport, get(URL)).await.unwrap();
    let strict = transport.with_tls(trusting(&ca));
    assert!(fetch(&strict, get(URL)).await.unwrap_err().is_tls());
}

/// PRX-03
#[tokio::test(start_paused = true)]
async fn the_credentials_go_to_the_proxy_and_not_through_the_tunnel() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let proxy = HttpProxy::start(&network, PROXY);
    // HTTP/2 to an http origin is tunnelled; here the target is played by hand, so that it shows
    // what comes out of the tunnel.
    let ca = Ca::new();
    let tls_listener = network.listen("a.test:443");
    let acceptor = tokio_rustls::TlsAcceptor::from(ca.server_config(&["a.test"], &[b"http/1.1"]));
    let transport = through(&network, "http://me:secret@proxy.test:3128");
    let transport = transport.tls(trusting(&ca)).build().unwrap();
    let request = Request::get(URL).header("proxy-authorization", "Basic mine");
    let sent = send(&transport, request.body(Body::empty()).unwrap());
    let stream = acceptor.accept(tls_listener.accept().await).await.unwrap();
    let mut peer = standpipe_test::Peer::new(stream);
    let head = peer.read_head().await.unwrap().to_lowercase();
    assert!(!head.contains("proxy-authorization"), "{head}");
    peer.respond("200 OK", "").await.unwrap();
    answer_to(sent).await.unwrap();
    let heads = proxy.heads();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].contains("proxy-authorization: Basic bWU6c2VjcmV0\r\n"));
    drop(listener);
}

#[tokio::test(start_paused = true)]
async fn http2_without_tls_goes_through_a_tunnel_too() {
    let network = Network::new();
    let server = echoing().http2().start_on(network.listen("a.test:80"));
    let proxy = HttpProxy::start(&network, PROXY);
    let transport = through(&network, "http://proxy.test:3128").protocol(Protocol::Http2);
    let transport = transport.build().unwrap();
    let response = head_of(&transport, get("http://a.test/x")).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert_eq!(read(response).await.unwrap(), "/x");
    assert_eq!(server.stats().requests, 1);
    assert!(proxy.heads()[0].starts_with("CONNECT a.test:80 "));
}

/// PRX-05: TLS to the proxy, and TLS in the tunnel.
#[tokio::test(start_paused = true)]
async fn a_proxy_may_be_reached_by_tls() {
    let (network, ca) = (Network::new(), Ca::new());
    let _server = serve(&network, &ca, &[b"h2"]);
    let config = ca.server_config(&["proxy.test"], &[b"http/1.1"]);
    let proxy = HttpProxy::start_tls(&network, PROXY, config);
    // The name is the origin's: the proxy is still asked for by its own.
    let transport = through(&network, "https://proxy.test:3128");
    let tls = trusting(&ca).server_name("a.test");
    let transport = transport.tls(tls).build().unwrap();
    assert_eq!(fetch(&transport, get(URL)).await.unwrap(), "/path");
    let plain = fetch(&transport, get("http://b.test/y")).await.unwrap();
    assert_eq!(plain, "forwarded http://b.test/y");
    assert_eq!(proxy.heads().len(), 2);
}

/// The certificate is for the origins, and not shown to a proxy that asks for one.
#[tokio::test(start_paused = true)]
async fn a_proxy_is_shown_no_client_certificate() {
    let (network, ca) = (Network::new(), Ca::new());
    let _server = serve(&network, &ca, &[b"http/1.1"]);
    let wanting = ca.server_config_requiring_client_certificate(&["proxy.test"], &[]);
    let proxy = HttpProxy::start_tls(&network, PROXY, wanting);
    let (chain, key) = ca.client_certificate();
    let tls = trusting(&ca).client_certificate(chain, key);
    let transport = through(&network, "https://proxy.test:3128").tls(tls);
    let error = fetch(&transport.build().unwrap(), get(URL))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), standpipe_core::ErrorKind::Proxy);
    assert!(proxy.heads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_proxys_certificate_is_verified() {
    let (network, ca) = (Network::new(), Ca::new());
    let _server = serve(&network, &ca, &[b"http/1.1"]);
    let config = Ca::new().server_config(&["proxy.test"], &[]);
    let proxy = HttpProxy::start_tls(&network, PROXY, config);
    let transport = through(&network, "https://proxy.test:3128");
    let transport = transport.tls(trusting(&ca)).build().unwrap();
    let error = fetch(&transport, get(URL)).await.unwrap_err();
    assert_eq!(error.kind(), standpipe_core::ErrorKind::Proxy);
    assert!(proxy.heads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn socks_leads_to_http_and_https() {
    let (network, ca) = (Network::new(), Ca::new());
    let _server = serve(&network, &ca, &[b"h2"]);
    let _plain = echoing().start_on(network.listen("a.test:80"));
    let credentials = Some(("me", "secret"));
    let proxy = SocksProxy::start(&network, "proxy.test:1080", credentials);
    let transport = through(&network, "socks5h://me:secret@proxy.test");
    let transport = transport.tls(trusting(&ca)).build().unwrap();
    assert_eq!(fetch(&transport, get(URL)).await.unwrap(), "/path");
    assert_eq!(
        fetch(&transport, get("http://a.test/p")).await.unwrap(),
        "/p"
    );
    assert_eq!(proxy.targets(), ["a.test:443", "a.test:80"]);
}

#[tokio::test(start_paused = true)]
async fn an_ipv6_address_is_asked_for_in_brackets_and_by_socks_as_an_address() {
    let network = Network::new();
    let listener = network.listen("[2001:db8::1]:8443");
    let proxy = HttpProxy::start(&network, PROXY);
    let socks = SocksProxy::start(&network, "proxy.test:1080", None);
    for url in ["http://proxy.test:3128", "socks5://proxy.test"] {
        let transport = through(&network, url).tls(TlsConfig::default());
        let transport = transport.build().unwrap();
        let sent = send(&transport, get("https://[2001:db8::1]:8443/"));
        let mut peer = accept(&listener).await;
        peer.read_exact_body(5).await.unwrap();
        sent.abort();
    }
    assert!(proxy.heads()[0].starts_with("CONNECT [2001:db8::1]:8443 HTTP/1.1\r\n"));
    assert_eq!(socks.targets(), ["[2001:db8::1]:8443"]);
}

/// An HTTP/2 server may speak first; what comes with the proxy's answer is not lost.
#[tokio::test(start_paused = true)]
async fn what_follows_the_proxys_answer_at_once_belongs_to_the_tunnel() {
    let network = Network::new();
    let listener = network.listen(PROXY);
    let transport = through(&network, "http://proxy.test:3128").protocol(Protocol::Http2);
    let transport = transport.build().unwrap();
    let sent = send(&transport, get("http://a.test/"));
    let mut peer = accept(&listener).await;
    peer.read_head().await.unwrap();
    let answer = b"HTTP/1.1 299 Any Success\r\nx: y\r\n\r\n";
    let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 7];
    peer.write([&answer[..], &settings].concat()).await.unwrap();
    settle().await;
    // The preface, and an acknowledgement of the settings.
    let preface = peer.read_exact_body(24).await.unwrap();
    assert!(preface.starts_with(b"PRI * HTTP/2.0"));
    settle().await;
    let _ = peer.read_exact_body(1).await.unwrap();
    let acknowledged = peer
        .surplus()
        .windows(9)
        .any(|f| f == [0, 0, 0, 4, 1, 0, 0, 0, 0]);
    assert!(acknowledged, "{:?}", peer.surplus());
    assert_eq!(stats(&transport).active, 1);
    sent.abort();
}

/// CAN-03
#[tokio::test(start_paused = true)]
async fn a_request_dropped_while_the_proxy_thinks_leaves_a_connection_to_the_next_one() {
    let network = Network::new();
    let listener = network.listen(PROXY);
    let ca = Ca::new();
    let transport = through(&network, "http://proxy.test:3128").tls(trusting(&ca));
    let transport = transport.build().unwrap();
    let sent = send(&transport, get(URL));
    let mut peer = accept(&listener).await;
    peer.read_head().await.unwrap();
    sent.abort();
    settle().await;
    assert_eq!(stats(&transport).dialing, 1);
    peer.write("HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(ca.server_config(&["a.test"], &[b"http/1.1"]));
    let stream = acceptor.accept(peer.into_inner()).await.unwrap();
    settle().await;
    assert_eq!((stats(&transport).idle, stats(&transport).dialing), (1, 0));
    let sent = send(&transport, get(URL));
    let mut peer = standpipe_test::Peer::new(stream);
    peer.read_head().await.unwrap();
    peer.respond("200 OK", "").await.unwrap();
    answer_to(sent).await.unwrap();
}

/// CAN-03
#[tokio::test(start_paused = true)]
async fn a_transport_dropped_while_the_proxy_thinks_closes_the_connection() {
    let network = Network::new();
    let listener = network.listen(PROXY);
    let transport = through(&network, "http://proxy.test:3128").build().unwrap();
    let sent = send(&transport, get(URL));
    let mut peer = accept(&listener).await;
    peer.read_head().await.unwrap();
    sent.abort();
    drop(transport);
    peer.closed().await;
    network.all_closed().await;
}

/// As proxies of all ages do it (RFC 9110, 9.3.6: fields of framing count for nothing here).
#[tokio::test(start_paused = true)]
async fn an_answer_with_any_framing_opens_a_tunnel() {
    for answer in [
        "HTTP/1.0 200 Connection established\r\n\r\n",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let network = Network::new();
        let listener = network.listen(PROXY);
        let transport = through(&network, "http://proxy.test:3128").build().unwrap();
        let sent = send(&transport, get(URL));
        let mut peer = accept(&listener).await;
        peer.read_head().await.unwrap();
        peer.write(answer).await.unwrap();
        let greeting = peer.read_exact_body(5).await;
        assert_eq!(
            greeting.unwrap()[0],
            0x16,
            "the greeting of TLS after {answer}"
        );
        sent.abort();
    }
}
