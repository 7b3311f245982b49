use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Replay};
use tower_http::follow_redirect::ResponseFuture;
use tower_service::Service;

use super::hops::Hops;

pin_project! {
    /// The call of a [`Redirect`](super::Redirect), with all its hops.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the hop under way: no further one is sent.
    #[must_use = "futures do nothing unless polled"]
    pub struct RedirectFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        way: Way<S, B>,
    }
}

pin_project! {
    #[project = WayProj]
    enum Way<S, B>
    where
        S: Service<Request<B>>,
    {
        On { #[pin] future: ResponseFuture<S, B, Hops> },
        Off { #[pin] future: S::Future },
    }
}

impl<S, B> RedirectFuture<S, B>
where
    S: Service<Request<B>>,
{
    #[inline]
    pub(super) fn on(future: ResponseFuture<S, B, Hops>) -> Self {
        Self {
            way: Way::On { future },
        }
    }

    #[inline]
    pub(super) fn off(future: S::Future) -> Self {
        Self {
            way: Way::Off { future },
        }
    }
}

impl<S, B, R> Future for RedirectFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>, Error = BoxError> + Clone,
    B: Body + Default + Replay + 'static,
{
    type Output = Result<Response<R>, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            WayProj::On { future } => future.poll(cx),
            WayProj::Off { future } => future.poll(cx),
        }
    }
}

impl<S, B> fmt::Debug for RedirectFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedirectFuture").finish_non_exhaustive()
    }
}
