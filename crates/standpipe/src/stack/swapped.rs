use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use standpipe_core::{Body, BoxError};
use tower_service::Service;

/// A service from outside the stack: its errors and its responses' bodies are made the stack's own.
///
/// A body that is a [`Body`] stays as it is; any other is boxed.
#[derive(Clone, Copy, Debug)]
pub struct Swapped<S> {
    inner: S,
}

impl<S> Swapped<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner }
    }

    /// The service itself.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S, R> Service<Request<Body>> for Swapped<S>
where
    S: Service<Request<Body>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = SwappedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        SwappedFuture {
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    /// The future of [`Swapped`].
    #[derive(Debug)]
    pub struct SwappedFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F, R, E> Future for SwappedFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
    E: Into<BoxError>,
{
    type Output = Result<Response<Body>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.project().inner.poll(cx));
        Poll::Ready(match answer {
            Ok(response) => Ok(response.map(Body::new)),
            Err(error) => Err(error.into()),
        })
    }
}
