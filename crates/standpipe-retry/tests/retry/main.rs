//! The retry, through the public API and under paused time.

mod backoff;
mod bodies;
mod budget;
mod cancel;
mod closing;
mod contract;
#[cfg(feature = "serde")]
mod data;
mod deadline;
mod errors;
mod hooks;
mod nested;
mod peek;
mod request;
mod resend;
mod retry_after;
mod sockets;
mod statuses;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use standpipe_core::sync::Mutex;
use standpipe_core::{Body, BoxError, Error, ErrorKind, RequestSent};
use standpipe_retry::{ExponentialBackoff, Jitter, RetryLayer, RetryPolicy};
use standpipe_test::Probe;
use standpipe_test::mock::{MockAnswer, MockBody, MockRequest, MockResponse, MockService};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

type Answer = Result<Response<Body>, BoxError>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A mock that gives its answers in turn, and the last one for ever.
#[derive(Clone)]
struct Script(MockService);

impl Script {
    fn new(answers: impl IntoIterator<Item = MockAnswer>) -> Self {
        let mock = MockService::new();
        for answer in answers {
            mock.add_response("*", answer);
        }
        Self(mock)
    }

    fn statuses(statuses: &[u16]) -> Self {
        Self::new(statuses.iter().map(|status| status_of(*status)))
    }

    /// The mock under a probe, which counts its clones and what is in flight too.
    fn service(&self) -> Probe<impl Fn(Request<Body>) -> Answering + use<>> {
        let script = self.clone();
        Probe::new(move |request: Request<Body>| -> Answering {
            let script = script.clone();
            Box::pin(async move { script.answer(request).await })
        })
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        self.0.clone().oneshot(request).await
    }

    fn seen(&self) -> Vec<MockRequest> {
        self.0.requests()
    }

    fn calls(&self) -> usize {
        self.0.calls()
    }

    /// How long was waited before each attempt but the first.
    fn waits(&self) -> Vec<Duration> {
        let seen = self.seen();
        seen.windows(2).map(|two| two[1].at - two[0].at).collect()
    }
}

fn status_of(status: u16) -> MockAnswer {
    with_headers(status, &[])
}

fn with_headers(status: u16, headers: &[(&str, &str)]) -> MockAnswer {
    MockResponse {
        status,
        headers: headers.into(),
        body: status.to_string().into(),
        ..Default::default()
    }
    .into()
}

fn failing(error: Error) -> MockAnswer {
    error.into()
}

fn answer(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn get() -> Request<Body> {
    Request::get("http://example.com/")
        .body(Body::empty())
        .unwrap()
}

fn post() -> Request<Body> {
    Request::post("http://example.com/")
        .body(Body::from("data"))
        .unwrap()
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The defaults, with waits that do not vary.
fn plain() -> RetryPolicy {
    RetryPolicy::new().backoff(ExponentialBackoff::default().jitter(Jitter::None))
}

fn closed(sent: RequestSent) -> Error {
    Error::new(ErrorKind::ConnectionClosed).with_request_sent(sent)
}

/// Sends `request` through `layer` over what `script` answers.
async fn send(layer: &RetryLayer, script: &Script, request: Request<Body>) -> Answer {
    layer.layer(script.service()).oneshot(request).await
}

#[track_caller]
fn status(answer: &Answer) -> StatusCode {
    answer.as_ref().expect("an answer").status()
}

#[track_caller]
fn error(answer: Answer) -> Error {
    Error::from_boxed(answer.expect_err("an error"))
}
