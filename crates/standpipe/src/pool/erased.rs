//! The one box: the stack's future, behind a stack whose type is forgotten.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use standpipe_core::oneshot::Oneshot;
use standpipe_core::{Body, BoxError, Error};
use tower_service::Service;

use crate::stack::StackBody;

pub(crate) type BoxFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

pub(crate) trait Erased: Send + Sync {
    fn call(&self, request: Request<Body>) -> BoxFuture;
}

impl<S, R> Erased for S
where
    S: Service<Request<Body>, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    R: StackBody,
{
    fn call(&self, request: Request<Body>) -> BoxFuture {
        Box::pin(Calling {
            inner: Oneshot::new(self.clone(), request),
        })
    }
}

pin_project_lite::pin_project! {
    struct Calling<S>
    where
        S: Service<Request<Body>>,
    {
        #[pin]
        inner: Oneshot<S, Request<Body>>,
    }
}

impl<S, R> Future for Calling<S>
where
    S: Service<Request<Body>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: StackBody,
{
    type Output = Result<Response<Body>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.project().inner.poll(cx));
        Poll::Ready(match answer {
            Ok(response) => Ok(response.map(StackBody::erase)),
            Err(error) => Err(Error::from_boxed(error)),
        })
    }
}
