use std::task::{Context, Poll};

use http::{Request, Response};
use standpipe_core::BoxError;
use tower_service::Service;

use crate::plan::{Bound, HandedDown};
use crate::{ResponseFuture, TimeoutBody};

/// Ends a request, an attempt or a silent response body in time; made by
/// [`TimeoutLayer`](crate::TimeoutLayer).
///
/// The time runs from [`call`](Service::call). It is ready when the inner service is, and reserves
/// nothing.
///
/// # Errors
///
/// A [`standpipe_core::Error`] of kind
/// [`DeadlineExceeded`](standpipe_core::ErrorKind::DeadlineExceeded) when the request's total time
/// ran out, of kind [`AttemptTimeout`](standpipe_core::ErrorKind::AttemptTimeout) when the
/// attempt's did. The inner service's errors pass unchanged.
///
/// # Panics
///
/// A call that has to wait panics when polled outside a tokio runtime with its timers enabled.
///
/// # Clone
///
/// A clone has the same settings and a clone of the inner service; there is no state to share.
#[derive(Clone, Copy, Debug)]
pub struct Timeout<S> {
    inner: S,
    bound: Bound,
    handed_down: HandedDown,
}

impl<S> Timeout<S> {
    pub(crate) fn new(inner: S, bound: Bound, handed_down: HandedDown) -> Self {
        Self {
            inner,
            bound,
            handed_down,
        }
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

impl<S, B, R> Service<Request<B>> for Timeout<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: 'static,
{
    type Response = Response<TimeoutBody<R>>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let plan = self.bound.plan(self.handed_down, &mut request);
        ResponseFuture::new(self.inner.call(request), plan)
    }
}
