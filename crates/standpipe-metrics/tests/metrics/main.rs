//! The metrics, through the public API and under paused time.

mod bodies;
mod connections;
mod contract;
mod counting;
mod hosts;
mod recorder;
mod server;
mod spans;
mod threads;

#[cfg(feature = "metrics")]
mod facade;
#[cfg(feature = "metrics")]
mod held;
#[cfg(feature = "serde")]
mod serialised;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use standpipe_core::{Body, BoxError, Error, ErrorKind, Origin};
use standpipe_metrics::{AttemptMetricsLayer, Metrics, MetricsLayer, Registry, RequestMetrics};
use standpipe_test::mock::{MockAnswer, MockResponse, MockService};
use tokio::sync::RwLock;
use tower::{Layer, Service, ServiceExt};

const URL: &str = "https://api.example.com/v1";

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

/// Written by tests whose threads take all numbers that threads with counters of their own have, read by
/// those that need one.
static NUMBERS: RwLock<()> = RwLock::const_new(());

fn get(url: &str) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

fn origin(url: &str) -> Origin {
    Origin::parse(url).unwrap()
}

fn answer(status: u16, body: impl Into<Body>) -> Result<Response<Body>, BoxError> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    Ok(response)
}

/// A mock that answers by the path: `/200` at once, `/503/2` after two seconds, `/error` by an error,
/// `/never` never.
fn by_path() -> MockService {
    let mock = MockService::new();
    mock.expect("*").at_least(0).answer_with(|request| {
        let mut parts = request.path()[1..].split('/');
        let answer: MockAnswer = match parts.next().unwrap() {
            "never" => MockAnswer::hang(),
            "foreign" => MockAnswer::from_fn(|| Err("boom".into())),
            "error" => Error::new(ErrorKind::ConnectionClosed).into(),
            "refused" => Error::new(ErrorKind::RateLimited).into(),
            status => MockResponse {
                status: status.parse().unwrap(),
                body: "hello".into(),
                ..Default::default()
            }
            .into(),
        };
        let seconds = parts.next().map_or(0, |seconds| seconds.parse().unwrap());
        answer.after(Duration::from_secs(seconds))
    });
    mock
}

/// `inner` under the layer for logical requests.
fn counted<S>(registry: &Registry, inner: S) -> Metrics<S> {
    MetricsLayer::new(registry.clone()).layer(inner)
}

/// `inner` under the layer for attempts.
fn attempts<S>(registry: &Registry, inner: S) -> Metrics<S> {
    AttemptMetricsLayer::new(registry.clone()).layer(inner)
}

#[track_caller]
fn assert_consistent(metrics: &RequestMetrics) {
    let m = metrics;
    assert_eq!(
        m.total,
        m.successful + m.failed + m.cancelled + m.in_flight,
        "{m:?}"
    );
    let bodies = m.bodies;
    assert_eq!(
        m.responses,
        bodies.complete + bodies.failed + bodies.abandoned + bodies.open,
        "{m:?}"
    );
}

/// Polls once.
fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A call, for a test to poll.
fn call<S>(service: &S, url: &str) -> S::Future
where
    S: Service<Request<Body>> + Clone,
{
    let mut service = service.clone();
    let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(ready, Poll::Ready(Ok(()))), "ready at once");
    service.call(get(url))
}

async fn ask<S>(service: &S, url: &str) -> Result<S::Response, S::Error>
where
    S: Service<Request<Body>> + Clone,
{
    service.clone().oneshot(get(url)).await
}
