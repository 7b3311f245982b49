use http::Request;
use standpipe_core::Body;
use standpipe_test::memory::Network;
use standpipe_test::proxy::HttpProxy;
use standpipe_transport::Proxy;

use crate::support::{A, accept, answer_to, echoing, fetch, get, over, post, send, settle, stats};
use crate::{PROXY, through};

/// PRX-03
#[tokio::test(start_paused = true)]
async fn plain_http_is_sent_to_the_proxy_in_absolute_form_with_its_credentials() {
    let network = Network::new();
    let proxy = HttpProxy::start(&network, PROXY);
    let transport = through(&network, "http://me:secret@proxy.test:3128")
        .build()
        .unwrap();
    for _ in 0..2 {
        let body = fetch(&transport, get("http://A.test:80/path?q=1"))
            .await
            .unwrap();
        assert_eq!(body, "forwarded http://a.test/path?q=1");
    }
    for head in proxy.heads() {
        assert!(
            head.starts_with("GET http://a.test/path?q=1 HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(head.contains("host: a.test\r\n"), "{head}");
        assert!(
            head.contains("proxy-authorization: Basic bWU6c2VjcmV0\r\n"),
            "{head}"
        );
    }
    assert_eq!((network.dials(), stats(&transport).idle), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_credentials_for_the_proxy_are_left_as_they_are() {
    let network = Network::new();
    let proxy = HttpProxy::start(&network, PROXY);
    let transport = through(&network, "http://me:secret@proxy.test:3128")
        .build()
        .unwrap();
    let request = Request::get(A).header("proxy-authorization", "Bearer mine");
    fetch(&transport, request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let heads = proxy.heads();
    assert!(heads[0].contains("proxy-authorization: Bearer mine\r\n"));
    assert_eq!(heads[0].matches("proxy-authorization").count(), 1);
}

/// PRX-03
#[tokio::test(start_paused = true)]
async fn without_a_proxy_nobody_is_told_proxy_credentials() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let request = Request::get(A).header("proxy-authorization", "Basic mine");
    let sent = send(&transport, request.body(Body::empty()).unwrap());
    let mut peer = accept(&listener).await;
    let head = peer.read_head().await.unwrap();
    assert!(!head.contains("proxy-authorization"), "{head}");
    peer.respond("200 OK", "").await.unwrap();
    answer_to(sent).await.unwrap();
}

/// PRX-01
#[tokio::test(start_paused = true)]
async fn an_exempt_host_is_reached_directly() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let proxy = HttpProxy::start(&network, PROXY);
    let rule = Proxy::all("http://proxy.test:3128")
        .unwrap()
        .no_proxy("a.test");
    let transport = over(&network).proxy(rule).build().unwrap();
    assert_eq!(
        fetch(&transport, get("http://a.test/x")).await.unwrap(),
        "/x"
    );
    let other = fetch(&transport, get("http://b.test/x")).await.unwrap();
    assert_eq!(other, "forwarded http://b.test/x");
    assert_eq!(proxy.heads().len(), 1);
}

/// STALE-09: what comes back unsent from a proxy's stale connection goes out again as it was.
#[tokio::test(start_paused = true)]
async fn a_request_is_sent_again_in_the_same_form() {
    let network = Network::new();
    let listener = network.listen(PROXY);
    let transport = through(&network, "http://me:secret@proxy.test:3128")
        .build()
        .unwrap();
    let first = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    let head = peer.read_head().await.unwrap();
    peer.respond("200 OK", "").await.unwrap();
    answer_to(first).await.unwrap();
    assert_eq!(stats(&transport).idle, 1);
    // The proxy closes as the next request is on its way, so that hyper hands it back.
    drop(peer);
    let second = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    assert_eq!(peer.read_head().await.unwrap(), head);
    peer.respond("200 OK", "").await.unwrap();
    answer_to(second).await.unwrap();
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_goes_along() {
    let network = Network::new();
    let listener = network.listen(PROXY);
    let transport = through(&network, "http://proxy.test:3128").build().unwrap();
    let sent = send(&transport, post(A, "hello"));
    let mut peer = accept(&listener).await;
    let head = peer.read_head().await.unwrap();
    assert!(
        head.starts_with("POST http://a.test/ HTTP/1.1\r\n"),
        "{head}"
    );
    assert_eq!(peer.read_exact_body(5).await.unwrap(), "hello");
    peer.respond("407 Proxy Authentication Required", "")
        .await
        .unwrap();
    // The proxy's answer is the answer.
    assert_eq!(sent.await.unwrap().unwrap().status(), 407);
}
