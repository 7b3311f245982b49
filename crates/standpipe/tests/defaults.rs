//! The defaults, and what a pool is.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::Frame;
use http_body_util::{Empty, Full, StreamBody};
use standpipe::{
    Body, CircuitBreakerConfig, DecompressLayer, DefaultHeadersLayer, Error, MinThroughput, Pool,
    PoolBuilder, PoolConfig, PoolFuture, Protocol, RedirectLayer, RequestBuilder, Response, Trip,
};
use standpipe_test::memory::Network;
use standpipe_test::{assert_layer_contract, assert_reserves_nothing};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use support::{URL, assert_line, at_once, echo_on, echoed_body, on, secs};
use tower::{Service, ServiceExt};

/// A body that standpipe has never heard of: chunks, with an error type of its own.
type Foreign = StreamBody<futures_util::stream::Iter<std::vec::IntoIter<Chunk>>>;
type Chunk = Result<Frame<Bytes>, std::io::Error>;

assert_impl_all!(Pool: Clone, Send, Sync, Unpin, std::fmt::Debug, Default);
assert_impl_all!(Pool: Service<Request<Body>, Error = Error, Future = PoolFuture>);
assert_impl_all!(Pool: Service<Request<Full<Bytes>>>, Service<Request<Empty<Bytes>>>);
assert_impl_all!(Pool: Service<Request<Foreign>>);
assert_impl_all!(PoolFuture: Send, Unpin);
assert_impl_all!(PoolBuilder: Clone, Send, Sync);
assert_impl_all!(RequestBuilder: Send);
assert_impl_all!(Response: Send);
assert_impl_all!(Error: Clone, Send, Sync);
assert_impl_all!(PoolConfig: Clone, Send, Sync, PartialEq);
// A request that cannot be sent twice is not cloned by accident.
assert_not_impl_any!(Response: Clone);

fn is_send_and_static<T: Send + 'static>(_: &T) {}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let config = PoolConfig::default();
    assert_eq!(config.max_connections_per_host, 100);
    assert_eq!(config.max_connections, None);
    assert_eq!(config.max_idle_per_host, 10);
    assert_eq!((config.min_idle, config.max_idle), (0, 100));
    assert_eq!(config.max_waiting_per_host, None);
    assert_eq!(config.idle_timeout, Some(secs(90)));
    assert_eq!(config.max_connection_lifetime, None);
    assert_eq!(config.max_requests_per_connection, None);
    assert!(!config.retire_on_dns_change);
    assert_eq!((config.body_throughput, config.local_address), (None, None));
    assert_eq!(config.acquire_timeout, None);
    assert_eq!(config.dial_timeout, Some(secs(30)));
    assert_eq!(config.tls_handshake_timeout, Some(secs(10)));
    assert_eq!(config.response_header_timeout, Some(secs(60)));
    assert_eq!(config.body_idle_timeout, None);
    assert_eq!(config.write_idle_timeout, None);
    assert_eq!(config.attempt_timeout, None);
    assert_eq!(config.request_timeout, Some(secs(120)));
    assert_eq!(config.max_retries, 3);
    assert_eq!(config.initial_retry_delay, secs(1));
    assert_eq!(config.max_retry_delay, secs(30));
    assert!((config.retry_multiplier - 2.0).abs() < f64::EPSILON);
    assert!((config.retry_jitter - 0.1).abs() < f64::EPSILON);
    let breaker = config.circuit_breaker.unwrap();
    assert_eq!(breaker.trip, Trip::Consecutive { threshold: 5 });
    assert_eq!(breaker.reset_period, secs(30));
    assert_eq!(breaker.half_open_max, 1);
    assert_eq!(config.max_redirects, Some(10));
    assert!(config.metrics);
    assert_eq!(config.max_hosts_in_metrics, 1_000);
    assert_eq!(config.max_hosts, 10_000);
    assert_eq!(config.host_idle_timeout, Some(secs(3600)));
    assert_eq!(config.max_response_bytes, 64 << 20);
    assert_eq!(config.user_agent, None);
    assert_eq!(config.protocol, Protocol::Auto);
}

#[test]
fn the_shared_preset_differs_from_the_defaults_where_its_documentation_says() {
    let shared = PoolConfig::shared();
    let agent = shared.user_agent.clone().unwrap();
    assert!(agent.starts_with("standpipe/"), "{agent}");
    let expected = PoolConfig {
        max_connections: Some(100),
        max_idle: 20,
        idle_timeout: Some(secs(30)),
        dial_timeout: Some(secs(30)),
        response_header_timeout: Some(secs(60)),
        body_idle_timeout: Some(secs(60)),
        write_idle_timeout: Some(secs(30)),
        acquire_timeout: Some(secs(5)),
        user_agent: Some(agent),
        ..PoolConfig::default()
    };
    assert_eq!(shared, expected);
    // HTTP/2 and redirects are on in both.
    assert_eq!(shared.protocol, Protocol::Auto);
    assert_eq!(shared.max_redirects, Some(10));
    let pool = Pool::builder().config(shared.clone()).build().unwrap();
    assert_eq!(pool.config(), &shared);
}

#[test]
fn each_setter_sets_the_field_of_its_name() {
    let all = PoolConfig {
        max_connections_per_host: 7,
        max_connections: Some(9),
        max_idle_per_host: 5,
        min_idle: 4,
        max_idle: 6,
        max_requests_per_connection: Some(28),
        retire_on_dns_change: true,
        body_throughput: Some(MinThroughput::default()),
        local_address: Some(std::net::Ipv4Addr::LOCALHOST.into()),
        max_waiting_per_host: Some(11),
        idle_timeout: Some(secs(12)),
        max_connection_lifetime: Some(secs(13)),
        acquire_timeout: Some(secs(14)),
        dial_timeout: Some(secs(15)),
        tls_handshake_timeout: Some(secs(16)),
        response_header_timeout: Some(secs(17)),
        body_idle_timeout: Some(secs(18)),
        write_idle_timeout: Some(secs(19)),
        attempt_timeout: Some(secs(20)),
        request_timeout: Some(secs(21)),
        max_retries: 22,
        initial_retry_delay: secs(2),
        max_retry_delay: secs(23),
        retry_multiplier: 1.5,
        retry_jitter: 0.5,
        circuit_breaker: Some(CircuitBreakerConfig::new().threshold(9)),
        max_redirects: None,
        metrics: false,
        max_hosts_in_metrics: 27,
        max_hosts: 24,
        host_idle_timeout: Some(secs(25)),
        max_response_bytes: 26,
        user_agent: Some("me/1".to_owned()),
        protocol: Protocol::Http1,
        ..PoolConfig::default()
    };
    let pool = Pool::builder()
        .max_connections_per_host(7)
        .max_connections(Some(9))
        .max_idle_per_host(5)
        .min_idle(4)
        .max_idle(6)
        .max_requests_per_connection(Some(28))
        .retire_on_dns_change(true)
        .body_throughput(Some(MinThroughput::default()))
        .local_address(Some(std::net::Ipv4Addr::LOCALHOST.into()))
        .max_waiting_per_host(Some(11))
        .idle_timeout(Some(secs(12)))
        .max_connection_lifetime(Some(secs(13)))
        .acquire_timeout(Some(secs(14)))
        .dial_timeout(Some(secs(15)))
        .tls_handshake_timeout(Some(secs(16)))
        .response_header_timeout(Some(secs(17)))
        .body_idle_timeout(Some(secs(18)))
        .write_idle_timeout(Some(secs(19)))
        .attempt_timeout(Some(secs(20)))
        .request_timeout(Some(secs(21)))
        .max_retries(22)
        .initial_retry_delay(secs(2))
        .max_retry_delay(secs(23))
        .retry_multiplier(1.5)
        .retry_jitter(0.5)
        .circuit_breaker(CircuitBreakerConfig::new().threshold(9))
        .max_redirects(None)
        .metrics(false)
        .max_hosts_in_metrics(27)
        .max_hosts(24)
        .host_idle_timeout(Some(secs(25)))
        .max_response_bytes(26)
        .user_agent("me/1")
        .protocol(Protocol::Http1)
        .build()
        .unwrap();
    assert_eq!(pool.config(), &all);
    assert_eq!(
        Pool::builder()
            .config(all.clone())
            .build()
            .unwrap()
            .config(),
        &all
    );
}

#[test]
fn a_pool_is_made_cloned_and_dropped_without_a_runtime() {
    let pool = Pool::new();
    assert_eq!(pool.config(), &PoolConfig::default());
    let clone = pool.clone();
    let request = pool.get("https://example.com/");
    is_send_and_static(&pool);
    is_send_and_static(&request);
    let sending = request.send();
    is_send_and_static(&sending);
    is_send_and_static(&pool.execute(Request::new(Body::empty())));
    pool.close_idle();
    assert_eq!(pool.stats().total.created, 0);
    assert!(format!("{pool:?}").contains("max_connections_per_host"));
    drop((pool, clone, sending));
}

#[test]
fn a_request_sent_without_a_runtime_is_a_clear_error_and_no_panic() {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let pool = on(&network).build().unwrap();
    for _ in 0..2 {
        let answer = at_once(pool.get(URL).send()).expect("an answer at the first poll");
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), standpipe::ErrorKind::Runtime, "{error}");
        assert_eq!(error.request_sent(), standpipe::RequestSent::No);
    }
    assert_eq!(network.dials(), 0);
    assert_eq!(pool.stats().total.waiting, 0);
}

#[tokio::test]
async fn a_pool_serves_requests_with_any_body() {
    let network = Network::new();
    let _server = echo_on(&network, "a.test:80");
    let mut pool = on(&network).build().unwrap();

    let full = Request::post(URL)
        .body(Full::<Bytes>::from("full"))
        .unwrap();
    assert_eq!(sent(&mut pool, full).await, "full");
    let empty = Request::post(URL).body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(sent(&mut pool, empty).await, "");
    let own = Request::post(URL).body(Body::from("own")).unwrap();
    assert_eq!(sent(&mut pool, own).await, "own");
    let chunks: Vec<Chunk> = ["for", "eign"]
        .map(|chunk| Ok(Frame::data(Bytes::from(chunk))))
        .into();
    let foreign: Foreign = StreamBody::new(futures_util::stream::iter(chunks));
    let foreign = Request::post(URL).body(foreign).unwrap();
    assert_eq!(sent(&mut pool, foreign).await, "foreign");
    assert_eq!(pool.stats().total.created, 1);
}

async fn sent<B>(pool: &mut Pool, request: Request<B>) -> String
where
    Pool: Service<Request<B>, Response = http::Response<Body>, Error = Error>,
{
    let response = pool.ready().await.unwrap().call(request).await.unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body()).await;
    let text = String::from_utf8(body.unwrap().to_bytes().into()).unwrap();
    echoed_body(&text).to_owned()
}

#[tokio::test]
async fn the_typed_stack_is_a_service_like_the_pool() {
    let network = Network::new();
    let _server = echo_on(&network, "a.test:80");
    let stack = on(&network).user_agent("me/1").build_service().unwrap();
    let request = Request::get(URL).body(Body::empty()).unwrap();
    let response = stack.oneshot(request).await.unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body()).await;
    let text = String::from_utf8(body.unwrap().to_bytes().into()).unwrap();
    assert_line(&text, "GET /");
    assert_line(&text, "user-agent: me/1");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_the_default_ninety_seconds() {
    let network = Network::new();
    let _server = echo_on(&network, "a.test:80");
    let pool = on(&network).build().unwrap();
    pool.get(URL).send().await.unwrap().bytes().await.unwrap();
    tokio::time::advance(secs(90) - Duration::from_millis(1)).await;
    support::settle().await;
    assert_eq!(pool.stats().total.idle, 1);
    tokio::time::advance(Duration::from_millis(1)).await;
    support::settle().await;
    assert_eq!(
        (pool.stats().total.idle, network.open_connections()),
        (0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn the_layer_of_the_default_headers_keeps_the_contract_of_a_layer() {
    let headers = [(http::header::ACCEPT, "a/b".parse().unwrap())];
    for headers in [HeaderMap::from_iter(headers), HeaderMap::new()] {
        let layer = DefaultHeadersLayer::new(Arc::new(headers));
        assert_layer_contract(layer.clone()).await;
        assert_reserves_nothing(layer).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_layers_of_hops_keep_the_contract_of_a_layer() {
    for layer in [RedirectLayer::new(3), RedirectLayer::off()] {
        assert_layer_contract(layer.clone()).await;
        assert_reserves_nothing(layer).await;
    }
    for layer in [DecompressLayer::new(), DecompressLayer::off()] {
        assert_layer_contract(layer.clone()).await;
        assert_reserves_nothing(layer).await;
    }
    #[cfg(feature = "cookies")]
    for layer in [
        standpipe::CookieLayer::new(standpipe::CookieJar::new()),
        standpipe::CookieLayer::off(),
    ] {
        assert_layer_contract(layer.clone()).await;
        assert_reserves_nothing(layer).await;
    }
}
