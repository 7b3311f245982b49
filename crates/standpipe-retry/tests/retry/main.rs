//! The retry, through the public API and under paused time.

mod backoff;
mod bodies;
mod budget;
mod cancel;
mod closing;
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
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

type Answer = Result<Response<Body>, BoxError>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A service that gives its answers in turn, and the last one for ever; it keeps what it was sent.
#[derive(Clone)]
struct Script(Arc<Mutex<State>>);

struct State {
    answers: VecDeque<Make>,
    seen: Vec<Seen>,
}

type Make = Arc<dyn Fn() -> Answer + Send + Sync>;

#[derive(Clone, Debug)]
struct Seen {
    at: Instant,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

impl Script {
    fn new(answers: impl IntoIterator<Item = Make>) -> Self {
        Self(Arc::new(Mutex::new(State {
            answers: answers.into_iter().collect(),
            seen: Vec::new(),
        })))
    }

    fn statuses(statuses: &[u16]) -> Self {
        Self::new(statuses.iter().map(|status| status_of(*status)))
    }

    fn service(&self) -> Probe<impl Fn(Request<Body>) -> Answering + use<>> {
        let script = self.clone();
        Probe::new(move |request: Request<Body>| -> Answering {
            let script = script.clone();
            Box::pin(async move { script.answer(request).await })
        })
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let at = Instant::now();
        let (parts, body) = request.into_parts();
        let body = body.collect().await?;
        let make = {
            let mut state = self.0.lock();
            state.seen.push(Seen {
                at,
                method: parts.method,
                headers: parts.headers,
                trailers: body.trailers().cloned(),
                body: body.to_bytes(),
            });
            match state.answers.len() {
                1 => state.answers[0].clone(),
                _ => state.answers.pop_front().expect("an answer"),
            }
        };
        make()
    }

    fn seen(&self) -> Vec<Seen> {
        self.0.lock().seen.clone()
    }

    fn calls(&self) -> usize {
        self.0.lock().seen.len()
    }

    /// How long was waited before each attempt but the first.
    fn waits(&self) -> Vec<Duration> {
        let seen = self.seen();
        seen.windows(2).map(|two| two[1].at - two[0].at).collect()
    }
}

fn status_of(status: u16) -> Make {
    Arc::new(move || Ok(answer(status, &[])))
}

fn with_headers(status: u16, headers: &'static [(&'static str, &'static str)]) -> Make {
    Arc::new(move || Ok(answer(status, headers)))
}

fn failing(error: Error) -> Make {
    Arc::new(move || Err(error.clone().into()))
}

fn answer(status: u16, headers: &[(&str, &str)]) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(format!("{status}"))).unwrap()
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
