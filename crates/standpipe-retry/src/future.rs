use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Error, Replay};
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

use crate::again::{Again, Next};
use crate::drain::Drain;
use crate::outcome::{failed, stamped};
use crate::peek::PeekFuture;
use crate::plan::{Progress, Wait};
use crate::{NoPeek, Peeker};

pin_project! {
    /// The call of a [`Retry`](crate::Retry), with all its attempts and the waits between them.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the attempt under way, or the wait: no further one is sent. What a retry was
    /// charged to the budget stays charged.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, R, C = NoPeek>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S::Future, R>,
        // None where nothing was kept: then the one attempt's outcome is the caller's.
        again: Option<Again<S, B, C>>,
        progress: Progress,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, R> {
        // An attempt is under way.
        Calling { #[pin] future: F },
        // A failed answer is looked into.
        Peeking { future: PeekFuture<R>, wait: Wait },
        // What is left of a failed answer is read.
        Draining { #[pin] drain: Drain<R>, until: Instant },
        // It is not time yet.
        Waiting { #[pin] sleep: Sleep },
        // The inner service is not ready yet.
        Starting,
        // A hook refused the first attempt.
        Refused { error: Option<BoxError> },
    }
}

impl<F, R> State<F, R> {
    /// Whether another attempt is decided upon and not begun.
    fn waits(&self) -> bool {
        matches!(
            self,
            Self::Draining { .. } | Self::Waiting { .. } | Self::Starting
        )
    }
}

impl<S, B, R, C> ResponseFuture<S, B, R, C>
where
    S: Service<Request<B>>,
{
    #[inline]
    pub(crate) fn new(future: S::Future, again: Option<Again<S, B, C>>) -> Self {
        Self {
            state: State::Calling { future },
            again,
            progress: Progress::begun(),
        }
    }

    #[cold]
    pub(crate) fn refused(error: BoxError) -> Self {
        Self {
            state: State::Refused { error: Some(error) },
            again: None,
            progress: Progress::begun(),
        }
    }
}

impl<S, B, R, C> Future for ResponseFuture<S, B, R, C>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Replay + 'static,
    R: Body,
    C: Peeker<R>,
{
    type Output = Result<Response<R>, BoxError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.as_mut().project();
        let StateProj::Calling { future } = this.state.as_mut().project() else {
            return self.go_on(None, cx);
        };
        let polled = future.poll(cx);
        let again = this.again.as_ref();
        // Looked at where it lies: moving a response about is a part of what a call costs.
        let passes = match &polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(response)) => again.is_none_or(|again| again.passes(response)),
            Poll::Ready(Err(_)) => false,
        };
        if passes && this.progress.attempts == 1 {
            // Whoever keeps a finished future around keeps no copy with it.
            *this.again = None;
            return polled.map_err(Into::into);
        }
        match polled {
            Poll::Ready(result) => self.go_on(Some(result), cx),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S, B, R, C> ResponseFuture<S, B, R, C>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Replay + 'static,
    R: Body,
    C: Peeker<R>,
{
    /// What is not an attempt with an answer that passes; apart from that, so that the way of nearly
    /// all calls is short.
    #[cold]
    fn go_on(
        self: Pin<&mut Self>,
        mut outcome: Option<Result<Response<R>, S::Error>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<R>, BoxError>> {
        let mut this = self.project();
        loop {
            if this.state.waits()
                && let Some(again) = this.again.as_mut()
                && let Poll::Ready(error) = again.poll_closed(this.progress, cx)
            {
                this.state.set(State::Refused { error: None });
                *this.again = None;
                return Poll::Ready(Err(error));
            }
            let next = match this.state.as_mut().project() {
                // Calling => the end, or any other but Refused
                StateProj::Calling { future } => {
                    let result = match outcome.take() {
                        Some(result) => result,
                        None => ready!(future.poll(cx)),
                    };
                    match (result, this.again.as_mut()) {
                        (Ok(response), Some(again)) if again.passes(&response) => {
                            Next::Return(stamped(this.progress, Ok(response)))
                        }
                        (result, Some(again)) => {
                            again.after(this.progress, result.map_err(Into::into))
                        }
                        (result, None) => Next::Return(alone(this.progress, result)),
                    }
                }
                // Peeking => the end, Draining
                StateProj::Peeking { future, wait } => {
                    let (response, verdict) = ready!(Pin::new(future).poll(cx));
                    let wait = *wait;
                    let again = this.again.as_mut().expect(KEPT);
                    again.after_peek(this.progress, response, verdict, wait)
                }
                // Draining => Waiting
                StateProj::Draining { drain, until } => {
                    ready!(drain.poll(cx));
                    Next::Wait(*until)
                }
                // Waiting => Starting
                StateProj::Waiting { sleep } => {
                    ready!(sleep.poll(cx));
                    Next::Start
                }
                // Starting => Calling, or the end
                StateProj::Starting => {
                    let again = this.again.as_mut().expect(KEPT);
                    let started = match ready!(again.service.poll_ready(cx)) {
                        Ok(()) => again.start(this.progress),
                        Err(error) => Err(failed(this.progress, error.into())),
                    };
                    match started {
                        Ok(future) => {
                            this.state.set(State::Calling { future });
                            continue;
                        }
                        Err(error) => Next::Return(Err(error)),
                    }
                }
                StateProj::Refused { error } => {
                    let error = error.take().expect("polled after the answer was given");
                    Next::Return(Err(Error::from_boxed(error).into()))
                }
            };
            this.state.set(match next {
                Next::Return(result) => {
                    *this.again = None;
                    return Poll::Ready(result);
                }
                Next::Peek(future, wait) => State::Peeking { future, wait },
                Next::Drain(drain, until) => State::Draining { drain, until },
                Next::Wait(until) if until <= Instant::now() => State::Starting,
                Next::Wait(until) => State::Waiting {
                    sleep: sleep_until(until),
                },
                Next::Start => State::Starting,
            });
        }
    }
}

const KEPT: &str = "what comes after an attempt is decided with the request at hand";

/// The outcome of an attempt that was the only one from the start.
#[cold]
fn alone<R, E: Into<BoxError>>(
    progress: &Progress,
    result: Result<Response<R>, E>,
) -> Result<Response<R>, BoxError> {
    stamped(
        progress,
        result.map_err(|error| Error::from_boxed(error.into())),
    )
}

impl<S, B, R, C> fmt::Debug for ResponseFuture<S, B, R, C>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}
