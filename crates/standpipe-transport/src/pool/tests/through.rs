//! What shows only through the transport.

use super::*;

/// Two TLS identities share the limits; what one leaves idle when it goes counts no longer.
#[tokio::test]
async fn the_idle_connections_of_a_pool_that_is_gone_do_not_count() {
    let network = Network::new();
    let _server = Server::builder()
        .handler(|_| async { http::Response::new(Full::from("ok")) })
        .start_on(network.listen("a.test:80"));
    let transport = Transport::builder()
        .connector(network.connector())
        .max_idle(1)
        .build()
        .unwrap();
    let other = transport.with_tls(TlsConfig::default());
    for transport in [other, transport.clone(), transport.clone()] {
        let request = Request::get("http://a.test/").body(Body::empty()).unwrap();
        let response = transport.oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    let stats = transport.stats().total;
    assert_eq!((stats.created, stats.reused), (1, 1));
}
