//! Calls through one retry layer over a service that answers at once: the cost of being there.
//!
//! `benches/retry/run` builds this, runs it and prints the table.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use standpipe_core::{Body, BoxError};
use standpipe_retry::{RetryLayer, RetryPolicy};
use tower::retry::budget::{Budget, TpsBudget};
use tower::{Layer, Service, ServiceExt};

/// Any error; a benchmark stops at the first one.
pub type AnyError = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "CASE HEADERS CALLS";

/// Runs what the command line describes; how long it took, and by how much `meter` rose meanwhile.
///
/// # Errors
///
/// Wrong arguments, or an error of a call.
pub fn command(meter: impl Fn() -> usize) -> Result<(Duration, usize), AnyError> {
    let mut args = std::env::args().skip(1);
    let case = args.next().ok_or(USAGE)?;
    let headers = args.next().ok_or(USAGE)?.parse()?;
    let calls = args.next().ok_or(USAGE)?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let (before, begun) = (meter(), Instant::now());
    runtime.block_on(run(&case, headers, calls))?;
    Ok((begun.elapsed(), meter() - before))
}

async fn run(case: &str, headers: usize, calls: usize) -> Result<(), AnyError> {
    let default = || RetryLayer::new(RetryPolicy::new());
    match case {
        "bare" => drive(AtOnce, headers, calls, Full::new).await,
        "bare-body" => drive(AtOnce, headers, calls, Body::from).await,
        "standpipe" => drive(default().layer(AtOnce), headers, calls, Full::new).await,
        "standpipe-body" => drive(default().layer(AtOnce), headers, calls, Body::from).await,
        "standpipe-off" => {
            let layer = RetryLayer::new(RetryPolicy::none());
            drive(layer.layer(AtOnce), headers, calls, Full::new).await
        }
        "tower" => {
            let budget = Arc::new(TpsBudget::default());
            let layer = tower::retry::RetryLayer::new(TowerPolicy { budget, left: 3 });
            drive(layer.layer(AtOnce), headers, calls, Full::new).await
        }
        "resilience" => {
            let layer = tower_resilience_retry::RetryLayer::builder()
                .max_attempts(4)
                .exponential_backoff(Duration::from_secs(1))
                .build();
            drive(layer.layer(AtOnceClone), headers, calls, Full::new).await
        }
        _ => Err(format!("there is no case {case}").into()),
    }
}

async fn drive<S, B, E>(
    mut service: S,
    headers: usize,
    calls: usize,
    body: impl Fn(Bytes) -> B,
) -> Result<(), AnyError>
where
    S: Service<Request<B>, Response = Response<Body>, Error = E>,
    E: Into<AnyError>,
{
    let uri: Uri = "http://example.com/v1/things".parse()?;
    for _ in 0..calls {
        let mut request = Request::new(body(Bytes::new()));
        *request.uri_mut() = uri.clone();
        for name in ["authorization", "accept", "user-agent", "x-request-id"]
            .iter()
            .take(headers)
        {
            request
                .headers_mut()
                .insert(*name, HeaderValue::from_static("value"));
        }
        let service = service.ready().await.map_err(Into::into)?;
        let answer = service.call(black_box(request)).await;
        black_box(answer.map_err(Into::into)?);
    }
    Ok(())
}

/// Answers before it is asked twice.
#[derive(Clone)]
struct AtOnce;

impl<B> Service<Request<B>> for AtOnce {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Ready<Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        drop(black_box(request));
        ready(Ok(Response::new(Body::empty())))
    }
}

/// The same with an error that tower-resilience can copy.
#[derive(Clone)]
struct AtOnceClone;

impl<B> Service<Request<B>> for AtOnceClone {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        drop(black_box(request));
        ready(Ok(Response::new(Body::empty())))
    }
}

/// What a policy for tower's retry has to be: statuses, a budget, and a copy of the request.
#[derive(Clone)]
struct TowerPolicy {
    budget: Arc<TpsBudget>,
    left: usize,
}

impl tower::retry::Policy<Request<Full<Bytes>>, Response<Body>, BoxError> for TowerPolicy {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        result: &mut Result<Response<Body>, BoxError>,
    ) -> Option<Ready<()>> {
        let failed = !matches!(result, Ok(response) if response.status().as_u16() < 400);
        if !failed {
            self.budget.deposit();
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        self.budget.withdraw().then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}
