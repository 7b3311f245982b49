use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use standpipe_core::BoxError;
use tower_service::Service;

use crate::cost::{Cost, OneEach};
use crate::error;
use crate::future::{Queued, ResponseFuture};
use crate::handle::Handle;
use crate::local::Joined;
use crate::place::Place;
use crate::protocol::{Http, Protocol};
use crate::shared::Shared;

/// Admits calls at the pace of its quotas and of the server's word; made by
/// [`RateLimitLayer`](crate::RateLimitLayer).
///
/// It is ready when the inner service is and reserves nothing. What a call has to wait for it waits
/// for in its future, in the order of the calls.
///
/// # Errors
///
/// A [`standpipe_core::Error`] of kind
/// [`RateLimited`](standpipe_core::ErrorKind::RateLimited), at once, when the wait would be longer
/// than it may; [`retry_after`](standpipe_core::Error::retry_after) is how long it would have been.
/// Of kind [`InvalidRequest`](standpipe_core::ErrorKind::InvalidRequest) when a request costs nothing,
/// or more than a quota ever holds; of kind [`Shutdown`](standpipe_core::ErrorKind::Shutdown) when it
/// would have to wait after its [signal](crate::RateLimitBuilder::closing) was closed. The inner service's errors pass unchanged.
///
/// # Panics
///
/// A call that has to wait panics when polled outside a tokio runtime with its timers enabled.
///
/// # Clone
///
/// All clones share one limit. A call that has to wait takes a clone of the inner service and waits
/// for that one's readiness once it is admitted, so that a permit which the inner service took for
/// its readiness is not held through the wait.
pub struct RateLimit<S, C = OneEach, P = Http> {
    inner: S,
    shared: Arc<Shared>,
    cost: C,
    protocol: P,
}

impl<S, C, P> RateLimit<S, C, P> {
    pub(crate) fn new(inner: S, shared: Arc<Shared>, cost: C, protocol: P) -> Self {
        Self {
            inner,
            shared,
            cost,
            protocol,
        }
    }

    /// Looks into the limiter, and shares it with other stacks.
    pub fn handle(&self) -> Handle {
        Handle(self.shared.clone())
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service, to change.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Gives the inner service back.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, C, P, Req> Service<Req> for RateLimit<S, C, P>
where
    S: Service<Req> + Clone,
    S::Error: Into<BoxError>,
    C: Cost<Req>,
    P: Protocol<Req, S::Response> + Clone,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, Req, P>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        // The user's function runs first, while nothing is held.
        let cost = self.cost.cost(&request);
        let now = self.shared.now();
        let at_once = cost > 0 && self.shared.remote.is_none();
        if at_once && self.shared.limiter.local.try_admit(now, cost) {
            let future = self.inner.call(request);
            let after = self.shared.wants_answers().then(|| self.shared.clone());
            return ResponseFuture::called(future, after, cost, self.protocol.clone());
        }
        self.call_later(request, cost, now)
    }
}

impl<S, C, P> RateLimit<S, C, P> {
    #[cold]
    fn call_later<Req>(&mut self, request: Req, cost: u32, now: u64) -> ResponseFuture<S, Req, P>
    where
        S: Service<Req> + Clone,
        P: Protocol<Req, S::Response> + Clone,
    {
        let protocol = self.protocol.clone();
        let shared = &self.shared;
        if let Err(error) = shared.check(cost) {
            return ResponseFuture::refused(error, protocol);
        }
        // Who needs the store still queues, and is told there.
        let closed = shared.is_closed();
        let give_up = match closed {
            true => now,
            false => shared.give_up(now, self.protocol.deadline(&request)),
        };
        let joined = shared.limiter.local.join(now, cost, give_up);
        if let Some(error) = shared.refusal(joined) {
            if closed {
                return ResponseFuture::refused(error::closed(), protocol);
            }
            return ResponseFuture::refused(shared.note_reject(error), protocol);
        }
        let place = match joined {
            Joined::Waiting(ticket, wait) => {
                // Before the hook, which may panic.
                let place = Place::new(shared.clone(), ticket);
                shared.note_wait(Duration::from_nanos(wait));
                Some(place)
            }
            _ if shared.remote.is_some() => None,
            _ => {
                let future = self.inner.call(request);
                let after = self.shared.wants_answers().then(|| self.shared.clone());
                return ResponseFuture::called(future, after, cost, protocol);
            }
        };
        let service = self.inner.clone();
        let queued = Queued::new(shared.clone(), place, service, request, cost, give_up);
        ResponseFuture::queued(queued, protocol)
    }
}

impl<S: Clone, C: Clone, P: Clone> Clone for RateLimit<S, C, P> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: self.shared.clone(),
            cost: self.cost.clone(),
            protocol: self.protocol.clone(),
        }
    }
}

impl<S: fmt::Debug, C, P> fmt::Debug for RateLimit<S, C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("inner", &self.inner)
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}
