use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use standpipe_core::{BoxError, Closing, Deadline};
use tower_service::Service;

use super::body::PermitBody;
use super::future::{ConcurrencyResponseFuture, Queued};
use super::layer::{ConcurrencyHandle, Waits};
use super::permit::Permits;
use crate::error;

/// Lets so many requests be under way at once; made by
/// [`ConcurrencyLimitLayer`](super::ConcurrencyLimitLayer).
///
/// A permit is taken in the call and held to the end of the response body. It is ready when the
/// inner service is, and reserves nothing; permits are given in the order of the calls.
///
/// # Errors
///
/// A [`standpipe_core::Error`] of kind [`RateLimited`](standpipe_core::ErrorKind::RateLimited),
/// without a time to try again, when no permit is there and the request may not wait, or once it has
/// waited as long as it may; of kind [`Shutdown`](standpipe_core::ErrorKind::Shutdown) when it would have
/// to wait after its [signal](super::ConcurrencyLimitLayer::closing) was closed. The inner service's errors pass unchanged.
///
/// # Panics
///
/// A call that has to wait panics when polled outside a tokio runtime with its timers enabled.
///
/// # Clone
///
/// All clones share one limit.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit<S> {
    inner: S,
    shared: Arc<Shared>,
}

/// What all clones share.
#[derive(Debug)]
struct Shared {
    permits: Arc<Permits>,
    waits: Waits,
}

impl<S> ConcurrencyLimit<S> {
    pub(super) fn new(inner: S, permits: Arc<Permits>, waits: Waits) -> Self {
        Self {
            inner,
            shared: Arc::new(Shared { permits, waits }),
        }
    }

    /// Looks into the limit, and shares it with other stacks.
    pub fn handle(&self) -> ConcurrencyHandle {
        ConcurrencyHandle(self.shared.permits.clone())
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

impl<S, B, R> Service<Request<B>> for ConcurrencyLimit<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: 'static,
    R: http_body::Body,
{
    type Response = Response<PermitBody<R>>;
    type Error = BoxError;
    type Future = ConcurrencyResponseFuture<S, Request<B>>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Shared { permits, waits } = &*self.shared;
        if waits.never {
            return ConcurrencyResponseFuture::called(self.inner.call(request), None);
        }
        if let Some(permit) = permits.try_take() {
            return ConcurrencyResponseFuture::called(self.inner.call(request), Some(permit));
        }
        self.call_later(request)
    }
}

impl<S> ConcurrencyLimit<S> {
    /// Apart from the call, which hands a request on without a copy where it is not lent out.
    #[cold]
    fn call_later<B>(&self, request: Request<B>) -> ConcurrencyResponseFuture<S, Request<B>>
    where
        S: Service<Request<B>> + Clone,
        B: 'static,
    {
        let Shared { permits, waits } = &*self.shared;
        if waits.closing.as_ref().is_some_and(Closing::is_closed) {
            return ConcurrencyResponseFuture::refused(error::closed());
        }
        let by_wait = waits.longest.map(Deadline::after);
        let give_up = Deadline::earlier(by_wait, Deadline::of(&request));
        if give_up.is_some_and(|give_up| give_up.remaining().is_zero()) {
            return ConcurrencyResponseFuture::refused(error::too_many(permits.limit()));
        }
        let closed = waits.closing.as_ref().map(Closing::closed);
        let queued = Queued::new(permits, give_up, closed, self.inner.clone(), request);
        ConcurrencyResponseFuture::queued(queued)
    }
}
