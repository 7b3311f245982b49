use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::request::Parts;
use http_body_util::Collected;
use http_body_util::combinators::Collect;
use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Error, ErrorKind, Phase};
use tokio::time::{Instant, Sleep};

use super::answer::{Answer, of_origin};
use super::state::{Decision, Shared};
use super::{MockAnswer, MockRequest, UnmatchedRequest};

pin_project! {
    /// The future of [`MockService`](super::MockService).
    pub struct ResponseFuture<B>
    where
        B: http_body::Body,
    {
        #[pin]
        stage: Stage<B>,
        shared: Arc<Shared>,
    }
}

pin_project! {
    // The sleep is boxed so that a test can poll the future without pinning it.
    #[project = StageProj]
    enum Stage<B>
    where
        B: http_body::Body,
    {
        Reading { #[pin] body: Collect<B>, parts: Option<Parts> },
        Delayed { delay: Pin<Box<Sleep>>, answer: Option<Ready> },
        Answering { answer: Option<Ready> },
    }
}

/// The answer, where there is one, and the request that it is for.
type Ready = (MockAnswer, MockRequest);

impl<B: http_body::Body> ResponseFuture<B> {
    pub(super) fn new(request: http::Request<B>, shared: Arc<Shared>) -> Self {
        let (parts, body) = request.into_parts();
        let stage = Stage::Reading {
            body: http_body_util::BodyExt::collect(body),
            parts: Some(parts),
        };
        Self { stage, shared }
    }
}

impl<B> Future for ResponseFuture<B>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.stage.as_mut().project() {
                // ## Reading => Delayed | Answering
                StageProj::Reading { body, parts } => {
                    let body = ready!(body.poll(cx)).map_err(failed_body)?;
                    let parts = parts.take().expect("polled after its end");
                    let request = received(parts, body);
                    let answer = match this.shared.receive(&request) {
                        Decision::Answer(answer) => answer,
                        Decision::Ask(answer) => answer(&request),
                        Decision::Unmatched(unmatched) => {
                            return Poll::Ready(Err(refused(*unmatched)));
                        }
                    };
                    match answer.delay() {
                        delay if delay.is_zero() => Stage::Answering {
                            answer: Some((answer, request)),
                        },
                        delay => Stage::Delayed {
                            delay: Box::pin(tokio::time::sleep(delay)),
                            answer: Some((answer, request)),
                        },
                    }
                }
                // ## Delayed => Answering
                StageProj::Delayed { delay, answer } => {
                    ready!(delay.as_mut().poll(cx));
                    Stage::Answering {
                        answer: answer.take(),
                    }
                }
                StageProj::Answering { answer } => {
                    // Gone where there is to be no answer.
                    let Some((answer, request)) = answer.take() else {
                        return Poll::Pending;
                    };
                    return match answer.give(request.origin().as_ref()) {
                        Some(answer) => Poll::Ready(answer),
                        None => Poll::Pending,
                    };
                }
            };
            this.stage.set(next);
        }
    }
}

impl<B: http_body::Body> fmt::Debug for ResponseFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

fn received<D: bytes::Buf>(parts: Parts, body: Collected<D>) -> MockRequest {
    let trailers = body.trailers().cloned();
    MockRequest {
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        extensions: parts.extensions,
        body: body.to_bytes(),
        trailers,
        at: Instant::now(),
    }
}

fn failed_body(error: impl Into<BoxError>) -> BoxError {
    let error = error.into();
    if Error::find(error.as_ref()).is_some() {
        return error;
    }
    let failed = Error::new(ErrorKind::RequestBody).with_phase(Phase::Exchange);
    failed.with_source(error).into()
}

/// A kind that nothing tries again, and that is no fault of the host's.
fn refused(unmatched: UnmatchedRequest) -> BoxError {
    let origin = unmatched.request.origin();
    let error = Error::new(ErrorKind::InvalidRequest)
        .with_phase(Phase::Check)
        .with_message(unmatched.summary())
        .with_source(unmatched);
    of_origin(error, origin.as_ref()).into()
}
