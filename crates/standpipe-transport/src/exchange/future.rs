use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Response;
use http::request::Parts;
use pin_project_lite::pin_project;
use standpipe_core::{Body, BoxError, Deadline, Error, ErrorKind, Phase, RequestSent};
use tokio::time::{Instant, Sleep};

use super::accepted::Accepted;
use super::acquiring::Acquiring;
use super::check::check;
use crate::pool::OriginPool;

pin_project! {
    /// The future of the transport.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits for a connection, it leaves the queue, and what it was granted serves
    /// the next one; dropped later, it closes its HTTP/1.1 connection or resets its HTTP/2 stream.
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct ResponseFuture {
        stage: Stage,
        // One clock for the stage at hand, made when it first has to wait.
        #[pin]
        clock: Option<Sleep>,
    }
}

/// The stages of ARCHITECTURE.md's table that last: "selected" and "returned unsent" are passed
/// within one poll.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is what nearly every request is in"
)]
enum Stage {
    Acquiring(Box<Acquiring>),
    Accepted(Accepted),
    Ended(Option<Error>),
}

/// A request on its way to a connection.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) head: Parts,
    pub(super) body: Body,
    pub(super) terms: Terms,
}

/// What a request is held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The length that the head declares for a body that has none of its own.
    pub(super) declared: Option<u64>,
    pub(super) deadline: Option<Deadline>,
    /// How often it went out before and came back.
    pub(super) resends: u32,
}

impl ResponseFuture {
    #[inline]
    pub(crate) fn new(pool: &Arc<OriginPool>, head: Parts, body: Body) -> Self {
        let declared = match check(&head, &body) {
            Ok(declared) => declared,
            Err(error) => return Self::failed(error.with_origin(pool.key.origin().clone())),
        };
        let terms = Terms {
            declared,
            deadline: body.deadline(),
            resends: 0,
        };
        Self {
            stage: Stage::begin(pool, head, body, terms),
            clock: None,
        }
    }

    #[cold]
    pub(crate) fn failed(error: Error) -> Self {
        Self {
            stage: Stage::Ended(Some(error)),
            clock: None,
        }
    }
}

impl Stage {
    /// On to a connection that is free, or into the queue.
    #[inline]
    fn begin(pool: &Arc<OriginPool>, head: Parts, body: Body, terms: Terms) -> Self {
        match pool.checkout() {
            Some(channel) => {
                Self::Accepted(Accepted::send(Arc::clone(pool), channel, head, body, terms))
            }
            None => Self::wait(pool, Outgoing { head, body, terms }),
        }
    }

    #[cold]
    fn wait(pool: &Arc<OriginPool>, outgoing: Outgoing) -> Self {
        match Acquiring::begin(pool, outgoing) {
            Ok(acquiring) => Self::Acquiring(Box::new(acquiring)),
            Err(error) => Self::Ended(Some(error)),
        }
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.stage {
                // Acquiring => Accepted, or Ended with the error of the wait
                Stage::Acquiring(waiting) => {
                    let granted = match waiting.poll(cx) {
                        Poll::Ready(granted) => granted,
                        Poll::Pending => {
                            let until = || waiting.until();
                            ready!(poll_clock(this.clock.as_mut(), until, cx));
                            Err(waiting.timed_out())
                        }
                    };
                    this.clock.set(None);
                    let acquiring = std::mem::replace(this.stage, Stage::Ended(None));
                    match (granted, acquiring) {
                        (Ok(channel), Stage::Acquiring(acquiring)) => {
                            let (pool, Outgoing { head, body, terms }) = acquiring.granted();
                            let accepted = Accepted::send(pool, channel, head, body, terms);
                            *this.stage = Stage::Accepted(accepted);
                        }
                        (Err(error), _) => return Poll::Ready(Err(error.into())),
                        (Ok(_), _) => {}
                    }
                }
                // Accepted => Ended with the answer, or back to Acquiring or Accepted where hyper
                // gave the request back
                Stage::Accepted(accepted) => {
                    let answer = match accepted.poll(cx) {
                        Poll::Ready(answer) => answer,
                        Poll::Pending => {
                            ready!(accepted.poll_patience(this.clock.as_mut(), cx));
                            let error = accepted.timed_out();
                            *this.stage = Stage::Ended(None);
                            return Poll::Ready(Err(error.into()));
                        }
                    };
                    if this.clock.is_some() {
                        this.clock.set(None);
                    }
                    let error = match answer {
                        Ok(response) => {
                            if let Some(error) = accepted.breach(&response) {
                                *this.stage = Stage::Ended(None);
                                return Poll::Ready(Err(error.into()));
                            }
                            let response = accepted.deliver(response, cx);
                            *this.stage = Stage::Ended(None);
                            return Poll::Ready(Ok(response));
                        }
                        Err(error) => error,
                    };
                    let stage = std::mem::replace(this.stage, Stage::Ended(None));
                    let Stage::Accepted(accepted) = stage else {
                        return Poll::Pending;
                    };
                    match accepted.failed(error) {
                        Ok((pool, Outgoing { head, body, terms })) => {
                            *this.stage = Stage::begin(&pool, head, body, terms);
                        }
                        Err(error) => return Poll::Ready(Err(error.into())),
                    }
                }
                Stage::Ended(error) => {
                    let error = error.take().unwrap_or_else(|| {
                        Error::new(ErrorKind::Other).with_message("polled after completion")
                    });
                    return Poll::Ready(Err(error.into()));
                }
            }
        }
    }
}

/// The error of a request whose deadline has passed.
pub(super) fn too_late(pool: &OriginPool, sent: RequestSent) -> Error {
    Error::new(ErrorKind::DeadlineExceeded)
        .with_phase(if sent == RequestSent::No {
            Phase::Acquire
        } else {
            Phase::Exchange
        })
        .with_request_sent(sent)
        .with_origin(pool.key.origin().clone())
}

/// Polls the stage's clock, which is set at the first call; without a time it never rings.
pub(super) fn poll_clock(
    mut clock: Pin<&mut Option<Sleep>>,
    until: impl FnOnce() -> Option<Instant>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if clock.is_none() {
        let Some(until) = until() else {
            return Poll::Pending;
        };
        clock.set(Some(tokio::time::sleep_until(until)));
    }
    match clock.as_pin_mut() {
        Some(clock) => clock.poll(cx),
        None => Poll::Pending,
    }
}
