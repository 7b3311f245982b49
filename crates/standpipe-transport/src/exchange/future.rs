use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use standpipe_core::{Body, BoxError, Deadline, Error, ErrorKind, Phase, RequestSent};
use tokio::time::{Instant, Sleep};

use super::SendBody;
use super::accepted::Accepted;
use super::acquiring::Acquiring;
use super::check::check;
use crate::pool::OriginPool;

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
    // One clock for the stage at hand, made when it first has to wait: few requests ever do.
    clock: Clock,
}

/// A timer that costs nothing where it is not needed.
pub(super) type Clock = Option<Pin<Box<Sleep>>>;

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
pub(crate) struct Outgoing {
    /// Without its body, which goes in once it is known what connection it is for. It is taken out
    /// where hyper gets it, and borrowed until then: each move copies more than 200 bytes.
    pub(crate) request: Option<Request<SendBody>>,
    pub(crate) body: Body,
    pub(super) terms: Terms,
}

/// What a request is held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The length that the head declares for a body that has none of its own.
    pub(super) declared: Option<u64>,
    pub(super) deadline: Option<Deadline>,
    /// How often it went out before and came back.
    pub(super) resends: u8,
}

impl Outgoing {
    #[inline]
    pub(crate) fn new(request: Request<SendBody>, body: Body, deadline: Option<Deadline>) -> Self {
        Self {
            request: Some(request),
            body,
            terms: Terms {
                declared: None,
                deadline,
                resends: 0,
            },
        }
    }

    /// The same for another owner.
    fn take(&mut self) -> Self {
        Self {
            request: self.request.take(),
            body: std::mem::take(&mut self.body),
            terms: self.terms,
        }
    }
}

impl ResponseFuture {
    pub(crate) fn new(pool: Arc<OriginPool>, outgoing: &mut Outgoing) -> Self {
        let checked = outgoing
            .request
            .as_ref()
            .map(|request| check(request, &outgoing.body));
        match checked.transpose() {
            Ok(declared) => outgoing.terms.declared = declared.flatten(),
            Err(error) => return Self::failed(error.with_origin(pool.key.origin().clone())),
        }
        Self {
            stage: Stage::begin(pool, outgoing),
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
    fn begin(pool: Arc<OriginPool>, outgoing: &mut Outgoing) -> Self {
        match pool.checkout() {
            Some(channel) => Self::Accepted(Accepted::send(pool, channel, outgoing)),
            None => Self::wait(&pool, outgoing.take()),
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
        let this = self.get_mut();
        loop {
            match &mut this.stage {
                // Acquiring => Accepted, or Ended with the error of the wait
                Stage::Acquiring(waiting) => {
                    let granted = match waiting.poll(cx) {
                        Poll::Ready(granted) => granted,
                        Poll::Pending => {
                            let until = || waiting.until();
                            ready!(poll_clock(&mut this.clock, until, cx));
                            Err(waiting.timed_out())
                        }
                    };
                    this.clock = None;
                    let acquiring = std::mem::replace(&mut this.stage, Stage::Ended(None));
                    match (granted, acquiring) {
                        (Ok(channel), Stage::Acquiring(acquiring)) => {
                            let (pool, mut outgoing) = acquiring.granted();
                            let accepted = Accepted::send(pool, channel, &mut outgoing);
                            this.stage = Stage::Accepted(accepted);
                        }
                        (Err(error), _) => return Poll::Ready(Err(error.into())),
                        (Ok(_), _) => {}
                    }
                }
                // Accepted => Ended with the answer, or back to Acquiring or Accepted where hyper
                // gave the request back
                Stage::Accepted(accepted) => {
                    let error = match accepted.poll(cx) {
                        Poll::Ready(Ok(response)) => {
                            let response = accepted.deliver(response, cx);
                            this.clock = None;
                            this.stage = Stage::Ended(None);
                            return Poll::Ready(response.map_err(Into::into));
                        }
                        Poll::Ready(Err(error)) => error,
                        Poll::Pending => {
                            ready!(accepted.poll_patience(&mut this.clock, cx));
                            let error = accepted.timed_out();
                            this.stage = Stage::Ended(None);
                            return Poll::Ready(Err(error.into()));
                        }
                    };
                    this.clock = None;
                    let stage = std::mem::replace(&mut this.stage, Stage::Ended(None));
                    let Stage::Accepted(accepted) = stage else {
                        return Poll::Pending;
                    };
                    match accepted.failed(error) {
                        Ok((pool, mut outgoing)) => this.stage = Stage::begin(pool, &mut outgoing),
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
    clock: &mut Clock,
    until: impl FnOnce() -> Option<Instant>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if clock.is_none() {
        let Some(until) = until() else {
            return Poll::Pending;
        };
        *clock = Some(Box::pin(tokio::time::sleep_until(until)));
    }
    match clock {
        Some(clock) => clock.as_mut().poll(cx),
        None => Poll::Pending,
    }
}
