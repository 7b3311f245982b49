mod answers;
mod bodies;
#[cfg(feature = "json")]
mod json;
mod matching;
mod reports;

use http::{Method, Request, Response, StatusCode};
use standpipe_core::{Body, BoxError, Error};
use tower::ServiceExt;

use super::MockService;

type Answer = Result<Response<Body>, BoxError>;

fn get(url: &str) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

fn post(url: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(url).body(body.into()).unwrap()
}

fn with_header(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

async fn send(mock: &MockService, request: Request<Body>) -> Answer {
    mock.clone().oneshot(request).await
}

#[track_caller]
fn status(answer: Answer) -> StatusCode {
    answer.expect("an answer").status()
}

#[track_caller]
fn error(answer: Answer) -> Error {
    Error::from_boxed(answer.expect_err("an error"))
}

/// What `f` panics with.
#[track_caller]
fn panic_of(f: impl FnOnce()) -> String {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
    let payload = caught.expect_err("it should panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("a text")).to_owned(),
    }
}

/// Forgets what was expected, so that its end says nothing.
fn let_go(mock: MockService) {
    panic_of(|| drop(mock));
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
