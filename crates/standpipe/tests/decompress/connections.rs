//! What becomes of the connection.

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use standpipe::{Body, DecompressLayer, Error, ErrorKind, Protocol, Transport};
use standpipe_test::{Server, memory::Network};
use tower::{Layer, ServiceExt};

use super::compressed;

const MIB: u64 = 1 << 20;

/// A server that answers with 4 MiB of zeros as gzip, or with `hello` in plain text where nothing else
/// is asked for.
async fn serve(network: &Network, http2: bool) -> Server {
    let zeros = compressed("gzip", &vec![0; 4 * MIB as usize]).await;
    let builder = match http2 {
        true => Server::builder().http2(),
        false => Server::builder().http1(),
    };
    builder
        .handler(move |request: Request<_>| {
            let zeros = zeros.clone();
            std::future::ready(match request.uri().path() {
                "/zeros" => {
                    assert!(request.headers().contains_key("accept-encoding"));
                    let response = Response::builder().header("content-encoding", "gzip");
                    response.body(Full::new(zeros)).unwrap()
                }
                _ => Response::new(Full::from("hello")),
            })
        })
        .start_on(network.listen("a.test:80"))
}

fn get(path: &str) -> Request<Body> {
    let url = format!("http://a.test{path}");
    Request::get(url).body(Body::empty()).unwrap()
}

/// DEC-06
#[tokio::test]
async fn a_body_beyond_its_limit_leaves_an_http2_connection_to_the_next_request() {
    for (http2, protocol) in [(true, Protocol::Http2), (false, Protocol::Http1)] {
        let network = Network::new();
        let server = serve(&network, http2).await;
        let transport = Transport::builder()
            .connector(network.connector())
            .protocol(protocol)
            .build()
            .unwrap();
        let layer = DecompressLayer::new().max_ratio(None).max_bytes(MIB);
        let service = layer.layer(transport);
        let response = service.clone().oneshot(get("/zeros")).await.unwrap();
        let error: Error = response.into_body().collect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BodyTooLarge { limit: MIB });

        let plain = service.clone().oneshot(get("/plain")).await.unwrap();
        let body = plain.into_body();
        assert!(!body.is_decoded());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
        if http2 {
            assert_eq!(server.stats().requests_per_connection, [2]);
        }
    }
}

#[tokio::test]
async fn a_body_read_to_its_end_gives_its_connection_back() {
    let network = Network::new();
    let server = serve(&network, false).await;
    let transport = Transport::builder()
        .connector(network.connector())
        .build()
        .unwrap();
    let service = DecompressLayer::new().max_ratio(None).layer(transport);
    for _ in 0..2 {
        let response = service.clone().oneshot(get("/zeros")).await.unwrap();
        let body = response.into_body();
        assert!(body.get_ref().connection_info().is_some());
        let length = body.collect().await.unwrap().to_bytes().len();
        assert_eq!(length as u64, 4 * MIB);
    }
    assert_eq!(server.stats().requests_per_connection, [2]);
}
