use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Closed, Error};
use tower_service::Service;

use crate::place::Place;
use crate::protocol::Protocol;
use crate::settle::Settle;
use crate::shared::Shared;
use crate::{error, remote};

pin_project! {
    /// The call of a [`RateLimit`](crate::RateLimit).
    ///
    /// # Cancel safety
    ///
    /// Dropped in line it gives its place up, and the turn that it was given goes to the next; once
    /// the inner service was called, what it took stays taken.
    pub struct ResponseFuture<S, R, P>
    where
        S: Service<R>,
    {
        #[pin]
        state: State<S, R>,
        // For the answer; nothing where nothing is done with it.
        after: Option<Arc<Shared>>,
        cost: u32,
        protocol: P,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, R>
    where
        S: Service<R>,
    {
        Called { #[pin] future: S::Future },
        // Boxed: the way without a wait moves no more than it needs.
        Queued { queued: Pin<Box<Queued<S, R>>> },
        Refused { error: Option<Error> },
    }
}

pin_project! {
    /// A request that waits, with a service that is not ready yet: while it waits it holds nothing of
    /// the inner service.
    pub(crate) struct Queued<S, R> {
        #[pin]
        gate: Gate,
        shared: Arc<Shared>,
        service: S,
        request: Option<R>,
        cost: u32,
        give_up: u64,
        closed: Option<Closed>,
    }
}

pin_project! {
    /// What a request has yet to pass.
    #[project = GateProj]
    enum Gate {
        Line { #[pin] place: Place },
        Store { admission: Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> },
        Passed,
    }
}

impl<S: Service<R>, R, P> ResponseFuture<S, R, P> {
    #[inline]
    pub(crate) fn called(
        future: S::Future,
        after: Option<Arc<Shared>>,
        cost: u32,
        protocol: P,
    ) -> Self {
        Self {
            state: State::Called { future },
            after,
            cost,
            protocol,
        }
    }

    #[cold]
    pub(crate) fn queued(queued: Queued<S, R>, protocol: P) -> Self {
        Self {
            after: queued.shared.wants_answers().then(|| queued.shared.clone()),
            cost: queued.cost,
            state: State::Queued {
                queued: Box::pin(queued),
            },
            protocol,
        }
    }

    #[cold]
    pub(crate) fn refused(error: Error, protocol: P) -> Self {
        Self {
            state: State::Refused { error: Some(error) },
            after: None,
            cost: 0,
            protocol,
        }
    }
}

impl<S, R> Queued<S, R> {
    pub(crate) fn new(
        shared: Arc<Shared>,
        place: Option<Place>,
        service: S,
        request: R,
        cost: u32,
        give_up: u64,
    ) -> Self {
        let gate = match place {
            Some(place) => Gate::Line { place },
            None => Gate::after_line(&shared, cost, give_up),
        };
        Self {
            gate,
            closed: shared.closed(),
            shared,
            service,
            request: Some(request),
            cost,
            give_up,
        }
    }

    /// Ready with an error once nobody is to wait any more.
    fn poll_closed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Error> {
        match self.project().closed {
            Some(closed) => Pin::new(closed).poll(cx).map(|()| error::closed()),
            None => Poll::Pending,
        }
    }

    /// Ready once all gates are passed.
    fn poll_gates(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut this = self.project();
        loop {
            let next = match this.gate.as_mut().project() {
                // Line => Store | Passed
                GateProj::Line { place } => match ready!(place.poll(cx)) {
                    Ok(()) => Gate::after_line(this.shared, *this.cost, *this.give_up),
                    Err(wait) => return Poll::Ready(Err(error::too_long(wait))),
                },
                // Store => Passed
                GateProj::Store { admission } => {
                    ready!(admission.as_mut().poll(cx))?;
                    Gate::Passed
                }
                GateProj::Passed => return Poll::Ready(Ok(())),
            };
            this.gate.set(next);
        }
    }
}

impl Gate {
    fn after_line(shared: &Arc<Shared>, cost: u32, give_up: u64) -> Self {
        match shared.remote {
            Some(_) => Self::Store {
                admission: Box::pin(remote::admit(shared.clone(), cost, give_up)),
            },
            None => Self::Passed,
        }
    }
}

impl<S, R, P> Future for ResponseFuture<S, R, P>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    P: Protocol<R, S::Response>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                // Called => end
                StateProj::Called { future } => {
                    let mut answer = ready!(future.poll(cx)).map_err(Into::into);
                    if let (Some(shared), Ok(response)) = (this.after.take(), &mut answer) {
                        after(&shared, *this.cost, this.protocol, response);
                    }
                    return Poll::Ready(answer);
                }
                // Queued => Called | Refused
                StateProj::Queued { queued } => {
                    if let Poll::Ready(error) = queued.as_mut().poll_closed(cx) {
                        this.state.set(State::Refused { error: None });
                        return Poll::Ready(Err(error.into()));
                    }
                    if let Err(error) = ready!(queued.as_mut().poll_gates(cx)) {
                        let error = queued.shared.note_reject(error);
                        this.state.set(State::Refused { error: None });
                        return Poll::Ready(Err(error.into()));
                    }
                    let waited = queued.as_mut().project();
                    if let Err(error) = ready!(waited.service.poll_ready(cx)) {
                        this.state.set(State::Refused { error: None });
                        return Poll::Ready(Err(error.into()));
                    }
                    let request = waited
                        .request
                        .take()
                        .expect("a queued call has its request");
                    let future = waited.service.call(request);
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

/// What an answer says of limits, and of its cost.
#[inline]
fn after<Req, Res, P: Protocol<Req, Res>>(
    shared: &Arc<Shared>,
    cost: u32,
    protocol: &P,
    response: &mut Res,
) {
    if let Some((status, headers)) = protocol.head(response)
        && !headers.is_empty()
    {
        shared.hear(status, headers);
    }
    if shared.counts_cost() {
        settle(shared, cost, protocol, response);
    }
}

fn settle<Req, Res, P: Protocol<Req, Res>>(
    shared: &Arc<Shared>,
    cost: u32,
    protocol: &P,
    response: &mut Res,
) {
    let account = Settle::new(shared.clone(), cost);
    let headers = protocol.head(response).map(|(_, headers)| headers);
    if let Some(actual) = headers.and_then(|headers| shared.actual_cost(headers)) {
        account.settle(actual);
    }
    if let Some(extensions) = protocol.extensions(response) {
        extensions.insert(account);
    }
}

impl<S, R, P> fmt::Debug for ResponseFuture<S, R, P>
where
    S: Service<R>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Called { .. } => "called",
            State::Queued { .. } => "queued",
            State::Refused { .. } => "refused",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
