use std::sync::Arc;
use std::task::{Context, Poll};

use standpipe_core::BoxError;
use tower_service::Service;

use crate::shared::Shared;
use crate::{AtHead, Handle, Judge, ResponseFuture};

/// Refuses calls to a service that fails; made by
/// [`CircuitBreakerLayer`](crate::CircuitBreakerLayer).
///
/// While calls pass, it is ready when the inner service is. While they are refused it is ready at
/// once, so that an inner service that never becomes ready does not keep the refusal from anyone;
/// the call that follows is refused even if the breaker has closed in between, since it was the
/// breaker that was ready, and not the inner service. Nothing is reserved: a probe begins with the
/// call.
///
/// # Errors
///
/// A [`standpipe_core::Error`] of kind [`CircuitOpen`](standpipe_core::ErrorKind::CircuitOpen) for
/// a call that was refused, with [`retry_after`](standpipe_core::Error::retry_after) where that is
/// known: while the breaker is open by itself. The inner service's errors pass unchanged; one of its
/// `poll_ready` is no call's and does not count.
///
/// # Panics
///
/// A panic of the inner call or of the classifier counts as a failure and goes on.
///
/// # Clone
///
/// All clones are of one circuit.
#[derive(Debug)]
pub struct CircuitBreaker<S, J = AtHead> {
    inner: S,
    shared: Arc<Shared>,
    judge: J,
    // The last `poll_ready` was about the refusal, and says nothing of the inner service.
    refusing: bool,
}

impl<S, J> CircuitBreaker<S, J> {
    pub(crate) fn new(inner: S, shared: Arc<Shared>, judge: J) -> Self {
        Self {
            inner,
            shared,
            judge,
            refusing: false,
        }
    }

    /// The circuit, to look at and to change by hand.
    pub fn handle(&self) -> Handle {
        Handle::of(Arc::clone(&self.shared))
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

impl<S, J, Req> Service<Req> for CircuitBreaker<S, J>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
    J: Judge<S::Response> + Clone,
{
    type Response = J::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, J>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.refusing = self.shared.refuses();
        if self.refusing {
            return Poll::Ready(Ok(()));
        }
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        if std::mem::take(&mut self.refusing) {
            return ResponseFuture::refused(self.shared.refuse_stale());
        }
        match self.shared.begin() {
            Ok(call) => {
                let inner = self.inner.call(request);
                ResponseFuture::called(inner, call.rest(), self.judge.clone())
            }
            Err(error) => ResponseFuture::refused(error),
        }
    }
}

impl<S: Clone, J: Clone> Clone for CircuitBreaker<S, J> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
            judge: self.judge.clone(),
            refusing: false,
        }
    }
}
