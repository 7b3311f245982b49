//! Layers that join the stack, replace a part of it, or are left out; and another bottom.

mod support;

use std::sync::Arc;

use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use standpipe::{
    Body, BoxError, ErrorKind, Fixed, HostConfig, HostStack, NoLayer, Origin, PerOrigin, Pool,
    RetryPolicy,
};
use standpipe_circuit_breaker::{CircuitBreakerConfig, CircuitBreakerLayer};
use standpipe_core::sync::Mutex;
use standpipe_rate_limit::{Quota, RateLimitLayer};
use standpipe_retry::RetryLayer;
use standpipe_test::memory::Network;
use support::{URL, assert_line, echo_on, on, peer, pool_and_listener, secs, settle, spawn_get};
use tower::util::MapRequestLayer;
use tower::{Service, ServiceExt, service_fn};

type Seen = Arc<Mutex<Vec<&'static str>>>;

/// A layer that notes its name when a request passes.
fn noting(
    seen: &Seen,
    name: &'static str,
) -> MapRequestLayer<impl Fn(Request<Body>) -> Request<Body> + Clone + use<>> {
    let seen = Arc::clone(seen);
    MapRequestLayer::new(move |request| {
        seen.lock().push(name);
        request
    })
}

fn taken(seen: &Seen) -> Vec<&'static str> {
    std::mem::take(&mut seen.lock())
}

#[tokio::test(start_paused = true)]
async fn layers_see_requests_where_they_stand() {
    let seen = Seen::default();
    let answers = Arc::new(Mutex::new(vec![200, 503]));
    let bottom = service_fn({
        let (seen, answers) = (Arc::clone(&seen), Arc::clone(&answers));
        move |_: Request<Body>| {
            seen.lock().push("bottom");
            let status = answers.lock().pop().unwrap();
            let response = Response::builder().status(status);
            std::future::ready(Ok::<_, BoxError>(
                response.body(Full::<bytes::Bytes>::default()).unwrap(),
            ))
        }
    });
    let pool = Pool::builder()
        .layer(noting(&seen, "inner"))
        .layer(noting(&seen, "outer"))
        .host_layer(noting(&seen, "host"))
        .attempt_layer(noting(&seen, "attempt"))
        .transport(bottom)
        .build()
        .unwrap();
    let response = pool.get(URL).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(
        taken(&seen),
        [
            "outer", "inner", "host", "attempt", "bottom", "attempt", "bottom"
        ]
    );
    let metrics = pool.metrics();
    assert_eq!(
        (metrics.requests.total, metrics.figures.attempts.total),
        (1, 2)
    );
    assert!(pool.transport().is_none());
}

#[tokio::test]
async fn each_host_has_a_layer_of_its_own() {
    let network = Network::new();
    let _servers = ["a.test:80", "b.test:80"].map(|address| echo_on(&network, address));
    let pool = on(&network)
        .host_stack(|stack: HostStack| {
            stack.outer(PerOrigin(|origin: &Origin| {
                let host = HeaderValue::from_str(origin.host()).unwrap();
                MapRequestLayer::new(move |mut request: Request<Body>| {
                    request.headers_mut().insert("x-made-for", host.clone());
                    request
                })
            }))
        })
        .build()
        .unwrap();
    for host in ["a.test", "b.test"] {
        let echo = pool.get(format!("http://{host}/")).send().await.unwrap();
        assert_line(&echo.text().await.unwrap(), &format!("x-made-for: {host}"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_retry_the_breaker_and_the_limit_can_be_replaced() {
    let bottom = service_fn(|_: Request<Body>| async {
        Err::<Response<Body>, _>(standpipe::Error::new(ErrorKind::Connect))
    });
    let one = std::num::NonZeroU32::MIN;
    let pool = Pool::builder()
        .max_retries(0)
        .without_circuit_breaker()
        .retry(RetryLayer::new(RetryPolicy::new().max_retries(1)))
        .circuit_breaker_layer(
            CircuitBreakerLayer::new(CircuitBreakerConfig::new().threshold(3)).unwrap(),
        )
        .rate_limit_layer(
            RateLimitLayer::builder()
                .requests(Quota::per_second(one))
                .build(),
        )
        .transport(bottom)
        .build()
        .unwrap();
    let error = pool.get(URL).send().await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connect, 2));
    // The third failure in a row opens the circuit; the retry does not try against that.
    let error = pool.get(URL).send().await.unwrap_err();
    assert!(error.is_circuit_open(), "{error}");
    let attempts = pool.metrics().figures.attempts.total;
    assert_eq!(attempts, 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_out_is_not_there() {
    let network = Network::new();
    let pool = on(&network)
        .host_stack(|stack: HostStack| {
            stack
                .without_retry()
                .without_circuit_breaker()
                .without_rate_limit()
                .attempt(NoLayer)
                .outer(Fixed(tower_layer::Identity::new()))
        })
        .host(
            "a.test",
            HostConfig::new().circuit_breaker(CircuitBreakerConfig::new().threshold(1)),
        )
        .build()
        .unwrap();
    for _ in 0..10 {
        let error = pool.get(URL).send().await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connect, 1));
    }
    let origin = Origin::parse(URL).unwrap();
    assert!(pool.circuit_breaker(&origin).is_none());
}

#[tokio::test(start_paused = true)]
async fn timeouts_hold_over_a_bottom_that_knows_none() {
    let bottom =
        service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, BoxError>>());
    let pool = Pool::builder()
        .attempt_timeout(Some(secs(1)))
        .request_timeout(Some(secs(5)))
        .without_retry()
        .transport(bottom)
        .build()
        .unwrap();
    let begun = tokio::time::Instant::now();
    let error = pool.get(URL).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AttemptTimeout);
    assert_eq!(begun.elapsed().as_secs(), 1);
    let hung = Pool::builder()
        .host_layer(tower::layer::layer_fn(|_| {
            service_fn(|_: Request<Body>| {
                std::future::pending::<Result<Response<Body>, BoxError>>()
            })
        }))
        .request_timeout(Some(secs(5)))
        .build()
        .unwrap();
    let error = hung.get(URL).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(begun.elapsed().as_secs(), 6);
}

#[tokio::test]
async fn the_typed_stack_is_a_service_that_needs_no_box() {
    let (_network, listener, _) = pool_and_listener(|pool| pool);
    let network = _network;
    let stack = on(&network)
        .layer(tower_layer::Identity::new())
        .build_service()
        .unwrap();
    let request = Request::get(URL).body(Body::empty()).unwrap();
    let mut ready = stack.clone();
    let ready = ready.ready().await.unwrap();
    let sent = tokio::spawn(ready.call(request));
    let mut server = peer(&listener).await;
    server.read_head().await.unwrap();
    server.respond("204 No Content", "").await.unwrap();
    assert_eq!(sent.await.unwrap().unwrap().status(), 204);
}

#[tokio::test]
async fn a_connector_and_layers_go_together() {
    let (network, listener, _) = pool_and_listener(|pool| pool);
    let seen = Seen::default();
    let pool = on(&network)
        .attempt_layer(noting(&seen, "attempt"))
        .build()
        .unwrap();
    let sent = spawn_get(&pool, URL);
    let mut server = peer(&listener).await;
    server.read_head().await.unwrap();
    server.respond("200 OK", "here").await.unwrap();
    assert_eq!(sent.await.unwrap().unwrap(), "here");
    settle().await;
    assert_eq!(taken(&seen), ["attempt"]);
    assert_eq!(pool.stats().total.idle, 1);
}
