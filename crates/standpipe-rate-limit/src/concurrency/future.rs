use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Closed, Deadline, Error};
use tokio::task::coop::unconstrained;
use tokio::time::{Sleep, sleep_until};
use tower_service::Service;

use super::body::PermitBody;
use super::permit::{InLine, Permit, Permits};
use crate::error;

pin_project! {
    /// The call of a [`ConcurrencyLimit`](crate::ConcurrencyLimit).
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the permit, or the place in line, to the next.
    pub struct ConcurrencyResponseFuture<S, R>
    where
        S: Service<R>,
    {
        #[pin]
        state: State<S, R>,
        permit: Option<Permit>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, R>
    where
        S: Service<R>,
    {
        Called { #[pin] future: S::Future },
        Queued { queued: Box<Queued<S, R>> },
        Refused { error: Option<Error> },
    }
}

type Acquire = dyn Future<Output = Option<Permit>> + Send;

/// A request that waits for a permit, with a service that is not ready yet: while it waits it holds
/// nothing of the inner service.
pub(super) struct Queued<S, R> {
    permit: Pin<Box<Acquire>>,
    timer: Option<Pin<Box<Sleep>>>,
    in_line: Option<InLine>,
    closed: Option<Closed>,
    service: S,
    request: Option<R>,
}

impl<S, R> Queued<S, R> {
    pub(super) fn new(
        permits: &Arc<Permits>,
        give_up: Option<Deadline>,
        closed: Option<Closed>,
        service: S,
        request: R,
    ) -> Self {
        Self {
            permit: Box::pin(Arc::clone(permits).take()),
            timer: give_up.map(|give_up| Box::pin(sleep_until(give_up.instant()))),
            in_line: Some(InLine::begin(permits)),
            closed,
            service,
            request: Some(request),
        }
    }

    /// Ready with an error once nobody is to wait any more.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        match &mut self.closed {
            Some(closed) => Pin::new(closed).poll(cx).map(|()| error::closed()),
            None => Poll::Pending,
        }
    }

    fn poll_permit(&mut self, cx: &mut Context<'_>) -> Poll<Result<Permit, Error>> {
        let permit = Pin::new(&mut unconstrained(self.permit.as_mut())).poll(cx);
        if permit.is_pending() {
            let Some(timer) = &mut self.timer else {
                return Poll::Pending;
            };
            ready!(Pin::new(&mut unconstrained(timer.as_mut())).poll(cx));
        }
        let limit = self.in_line.take().map_or(0, |line| line.limit());
        Poll::Ready(match permit {
            Poll::Ready(Some(permit)) => Ok(permit),
            Poll::Ready(None) | Poll::Pending => Err(error::too_many(limit)),
        })
    }
}

impl<S: Service<R>, R> ConcurrencyResponseFuture<S, R> {
    #[inline]
    pub(super) fn called(future: S::Future, permit: Option<Permit>) -> Self {
        Self {
            state: State::Called { future },
            permit,
        }
    }

    pub(super) fn queued(queued: Queued<S, R>) -> Self {
        Self {
            state: State::Queued {
                queued: Box::new(queued),
            },
            permit: None,
        }
    }

    pub(super) fn refused(error: Error) -> Self {
        Self {
            state: State::Refused { error: Some(error) },
            permit: None,
        }
    }
}

impl<S, R, B> Future for ConcurrencyResponseFuture<S, R>
where
    S: Service<R, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body,
{
    type Output = Result<Response<PermitBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                // Called => end
                StateProj::Called { future } => {
                    let answer = ready!(future.poll(cx));
                    // Whoever keeps a finished future around keeps no permit with it.
                    let permit = this.permit.take();
                    return Poll::Ready(match answer {
                        Ok(response) => Ok(response.map(|body| PermitBody::new(body, permit))),
                        Err(error) => Err(error.into()),
                    });
                }
                // Queued => Called, or the end
                StateProj::Queued { queued } => {
                    if let Poll::Ready(error) = queued.poll_closed(cx) {
                        *this.permit = None;
                        this.state.set(State::Refused { error: None });
                        return Poll::Ready(Err(error.into()));
                    }
                    if this.permit.is_none() {
                        match ready!(queued.poll_permit(cx)) {
                            Ok(permit) => *this.permit = Some(permit),
                            Err(error) => {
                                this.state.set(State::Refused { error: None });
                                return Poll::Ready(Err(error.into()));
                            }
                        }
                    }
                    if let Err(error) = ready!(queued.service.poll_ready(cx)) {
                        *this.permit = None;
                        this.state.set(State::Refused { error: None });
                        return Poll::Ready(Err(error.into()));
                    }
                    let request = queued
                        .request
                        .take()
                        .expect("a queued call has its request");
                    let future = queued.service.call(request);
                    this.state.set(State::Called { future });
                }
                // Refused => end
                StateProj::Refused { error } => {
                    let error = error.take().expect("polled after the answer was given");
                    return Poll::Ready(Err(error.into()));
                }
            }
        }
    }
}

impl<S: Service<R>, R> fmt::Debug for ConcurrencyResponseFuture<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyResponseFuture")
            .field("has_permit", &self.permit.is_some())
            .finish_non_exhaustive()
    }
}
