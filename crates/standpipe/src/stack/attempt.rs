use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;
use standpipe_core::BoxError;
use standpipe_timeout::{Timeout, TimeoutBody};
use tower_service::Service;

/// A [`Timeout`] whose time ends with the response head: the body comes as the inner service gave
/// it, so that the layer above sees what that knows of it.
#[derive(Clone, Copy, Debug)]
pub struct AttemptTimeout<S> {
    inner: Timeout<S>,
}

impl<S> AttemptTimeout<S> {
    /// `inner` must hold no limit on the body.
    pub(crate) fn new(inner: Timeout<S>) -> Self {
        Self { inner }
    }
}

impl<S, R, B> Service<R> for AttemptTimeout<S>
where
    Timeout<S>: Service<R, Response = Response<TimeoutBody<B>>, Error = BoxError>,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = AttemptFuture<<Timeout<S> as Service<R>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        AttemptFuture {
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    /// The future of [`AttemptTimeout`].
    #[derive(Debug)]
    pub struct AttemptFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F, B> Future for AttemptFuture<F>
where
    F: Future<Output = Result<Response<TimeoutBody<B>>, BoxError>>,
{
    type Output = Result<Response<B>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.project().inner.poll(cx));
        Poll::Ready(answer.map(|response| response.map(TimeoutBody::into_inner)))
    }
}
