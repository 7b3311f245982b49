//! The shortest way through the whole transport.

use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use standpipe_core::Body;
use standpipe_test::{Ca, Peer, Server, memory::Network};
use standpipe_transport::{Protocol, TlsConfig, Transport};
use tower::ServiceExt;

fn get(url: &str) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_second_request_reuses_the_connection_of_the_first() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = Transport::builder()
        .connector(network.connector())
        .build()
        .unwrap();
    let server = tokio::spawn(async move {
        let mut peer = Peer::new(listener.accept().await);
        for _ in 0..2 {
            let head = peer.read_head().await.unwrap();
            assert!(head.starts_with("GET /x HTTP/1.1\r\n"), "{head}");
            assert!(head.contains("host: a.test\r\n"), "{head}");
            peer.respond("200 OK", "hello").await.unwrap();
        }
        peer
    });
    for n in 0..2 {
        let response = transport
            .clone()
            .oneshot(get("http://a.test/x"))
            .await
            .unwrap();
        let body = response.into_body();
        assert_eq!(body.connection_info().unwrap().uses_before(), n);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
    }
    drop(server.await.unwrap());
    let stats = transport.stats().total;
    assert_eq!((stats.created, stats.requests, stats.reused), (1, 2, 1));
}

#[tokio::test]
async fn many_requests_share_one_http2_connection() {
    let ca = Ca::new();
    let network = Network::new();
    let server = Server::builder()
        .tls(ca.server_config(&["a.test"], &[b"h2", b"http/1.1"]))
        .handler(|_| async { http::Response::new(Full::from("over h2")) })
        .start_on(network.listen("a.test:443"));
    let transport = Transport::builder()
        .connector(network.connector())
        .tls(TlsConfig::default().roots([ca.certificate_der()]))
        .build()
        .unwrap();
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let transport = transport.clone();
        all.spawn(async move {
            let response = transport.oneshot(get("https://a.test/")).await.unwrap();
            assert_eq!(response.version(), Version::HTTP_2);
            response.into_body().collect().await.unwrap().to_bytes()
        });
    }
    while let Some(body) = all.join_next().await {
        assert_eq!(body.unwrap(), "over h2");
    }
    assert_eq!(server.stats().connections, 1);
    let stats = transport.stats().total;
    assert_eq!((stats.active, stats.idle, stats.streams), (0, 1, 0));
}

#[tokio::test]
async fn http2_by_prior_knowledge_needs_no_tls() {
    let network = Network::new();
    let _server = Server::builder()
        .http2()
        .handler(|_| async { http::Response::new(Full::from("ok")) })
        .start_on(network.listen("a.test:80"));
    let transport = Transport::builder()
        .connector(network.connector())
        .protocol(Protocol::Http2)
        .build()
        .unwrap();
    for _ in 0..3 {
        let response = transport
            .clone()
            .oneshot(get("http://a.test/"))
            .await
            .unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
    }
    assert_eq!(transport.stats().total.created, 1);
}

#[tokio::test]
async fn a_real_server_on_loopback_answers() {
    let server = Server::builder()
        .handler(|_| async { http::Response::new(Full::from("tcp")) })
        .start()
        .await;
    let transport = Transport::default();
    let response = transport
        .clone()
        .oneshot(get(&server.url("/")))
        .await
        .unwrap();
    let info = response.body().connection_info().unwrap();
    assert_eq!(info.peer, Some(server.addr()));
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "tcp"
    );
}

/// TO-07
#[tokio::test(start_paused = true)]
async fn the_longest_timeouts_there_are_do_not_overflow() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let longest = Some(std::time::Duration::MAX);
    let transport = Transport::builder()
        .connector(network.connector())
        .idle_timeout(longest)
        .max_lifetime(longest)
        .acquire_timeout(longest)
        .response_head_timeout(longest)
        .body_idle_timeout(longest)
        .write_idle_timeout(longest)
        .build()
        .unwrap();
    let server = tokio::spawn(async move {
        let mut peer = Peer::new(listener.accept().await);
        peer.read_head().await.unwrap();
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no")
            .await
            .unwrap();
        tokio::task::yield_now().await;
        peer.write("k").await.unwrap();
        peer
    });
    let response = transport
        .clone()
        .oneshot(get("http://a.test/"))
        .await
        .unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "ok");
    drop(server.await.unwrap());
}
