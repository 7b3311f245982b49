//! Redirects over the router and the transport.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use standpipe::{Body, BoxError, Error, ErrorKind, RedirectLayer, Transport, final_uri};
use standpipe_router::HostRouter;
use standpipe_test::{Peer, Server, memory::Network};
use standpipe_timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceExt};

/// The redirects' layer over a router of `network`'s hosts.
fn over(
    network: &Network,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone + use<>
{
    let transport = Transport::builder()
        .connector(network.connector())
        .build()
        .unwrap();
    let router = HostRouter::new(move |origin: &standpipe::Origin| transport.origin(origin));
    RedirectLayer::new(10).layer(router)
}

fn get(url: &str) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

/// A server that answers `/` with a redirect to `location` and this body, and anything else with
/// what was asked for.
fn redirecting(
    network: &Network,
    location: &'static str,
    body: impl Fn() -> UnsyncBoxBody<Bytes, BoxError> + Send + Sync + 'static,
) -> Server {
    Server::builder()
        .handler(move |request: Request<_>| {
            let path = request.uri().path().to_owned();
            let response = match &*path {
                "/" => Response::builder()
                    .status(302)
                    .header("location", location)
                    .body(body()),
                _ => Response::builder().body(full(path)),
            };
            std::future::ready(response.unwrap())
        })
        .start_on(network.listen("a.test:80"))
}

fn full(text: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, BoxError> {
    Full::new(text.into()).map_err(Into::into).boxed_unsync()
}

/// RED-07
#[tokio::test]
async fn the_connection_of_a_redirect_with_a_short_body_serves_the_next_hop() {
    let network = Network::new();
    let server = redirecting(&network, "/next", || full("moved"));
    let response = over(&network).oneshot(get("http://a.test/")).await.unwrap();
    assert_eq!(final_uri(&response).unwrap(), "http://a.test/next");
    let body = response.into_body();
    assert_eq!(body.connection_info().unwrap().uses_before(), 1);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "/next");
    assert_eq!(server.stats().requests_per_connection, [2]);
}

/// RED-07
#[tokio::test]
async fn a_redirect_with_an_endless_body_costs_its_connection_and_no_wait() {
    let network = Network::new();
    let server = redirecting(&network, "/next", || {
        let endless = futures_util::stream::repeat_with(|| {
            Ok::<_, BoxError>(http_body::Frame::data(Bytes::from_static(&[0; 8192])))
        });
        StreamBody::new(endless).boxed_unsync()
    });
    let response = over(&network).oneshot(get("http://a.test/")).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "/next");
    let stats = server.until(|stats| stats.open == 1).await;
    assert_eq!(stats.requests_per_connection, [1, 1]);
}

/// RED-06
#[tokio::test]
async fn a_head_with_a_zero_byte_in_its_location_is_a_breach_of_the_protocol() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let server = tokio::spawn(async move {
        let mut peer = Peer::new(listener.accept().await);
        peer.read_head().await.unwrap();
        let head = "HTTP/1.1 302 Found\r\nlocation: http://b.test/\0\r\ncontent-length: 0\r\n\r\n";
        peer.write(head).await.unwrap();
        peer
    });
    let error = over(&network)
        .oneshot(get("http://a.test/"))
        .await
        .unwrap_err();
    assert_eq!(Error::from_boxed(error).kind(), ErrorKind::Protocol);
    drop(server.await.unwrap());
}

/// RED-08
#[tokio::test(start_paused = true)]
async fn the_total_time_covers_all_hops() {
    let network = Network::new();
    let _server = redirecting(&network, "http://b.test/", || full("moved"));
    // It accepts and never answers.
    let _silent = network.listen("b.test:80");
    let begin = tokio::time::Instant::now();
    let timeout = TimeoutLayer::total(Duration::from_secs(7)).handed_down_to_head();
    let service = timeout.layer(over(&network));
    let error = service.oneshot(get("http://a.test/")).await.unwrap_err();
    let error = Error::from_boxed(error);
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(error.origin().unwrap().as_str(), "http://b.test");
    assert_eq!(begin.elapsed(), Duration::from_secs(7));
}

/// RED-08: what may be dialled is the transport's to say, of each hop anew.
#[tokio::test]
async fn a_redirect_to_a_host_that_cannot_be_reached_fails_as_a_request_to_it_would() {
    let network = Network::new();
    let _server = redirecting(&network, "http://inside.test/", || full("moved"));
    let error = over(&network)
        .oneshot(get("http://a.test/"))
        .await
        .unwrap_err();
    let error = Error::from_boxed(error);
    assert!(error.is_connect(), "{error:?}");
    assert_eq!(error.origin().unwrap().as_str(), "http://inside.test");
}
