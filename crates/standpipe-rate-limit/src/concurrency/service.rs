use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use standpipe_core::{BoxError, Deadline};
use tower_service::Service;

use super::body::PermitBody;
use super::future::{ConcurrencyResponseFuture, Queued};
use super::layer::ConcurrencyHandle;
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
/// waited as long as it may. The inner service's errors pass unchanged.
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
    permits: Arc<Permits>,
    max_wait: Option<Duration>,
}

impl<S> ConcurrencyLimit<S> {
    pub(super) fn new(inner: S, permits: Arc<Permits>, max_wait: Option<Duration>) -> Self {
        Self {
            inner,
            permits,
            max_wait,
        }
    }

    /// Looks into the limit, and shares it with other stacks.
    pub fn handle(&self) -> ConcurrencyHandle {
        ConcurrencyHandle(self.permits.clone())
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

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.permits.is_unlimited() {
            return ConcurrencyResponseFuture::called(self.inner.call(request), None);
        }
        if let Ok(permit) = self.permits.semaphore.clone().try_acquire_owned() {
            return ConcurrencyResponseFuture::called(self.inner.call(request), Some(permit));
        }
        let by_wait = self.max_wait.map(Deadline::after);
        let give_up = Deadline::earlier(by_wait, Deadline::of(&request));
        if give_up.is_some_and(|give_up| give_up.remaining().is_zero()) {
            return ConcurrencyResponseFuture::refused(error::too_many(self.permits.limit));
        }
        let queued = Queued::new(&self.permits, give_up, self.inner.clone(), request);
        ConcurrencyResponseFuture::queued(queued)
    }
}
