use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Error};
use tower_service::Service;

use crate::host::Lease;
use standpipe_core::oneshot::Oneshot;

pin_project! {
    /// The future of [`HostRouter`](crate::HostRouter).
    ///
    /// # Cancel safety
    ///
    /// Dropped at any point, it drops the host's service and that one's future, and the host
    /// counts as idle from then on.
    pub struct ResponseFuture<S, R>
    where
        S: Service<R>,
    {
        #[pin]
        state: State<S, R>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, R>
    where
        S: Service<R>,
    {
        // The lease comes last: the host is in use until its service and future are dropped.
        Routed { #[pin] oneshot: Oneshot<S, R>, lease: Lease<S> },
        Refused { error: Option<Error> },
        Done,
    }
}

impl<S: Service<R>, R> ResponseFuture<S, R> {
    pub(crate) fn routed(lease: Lease<S>, request: R) -> Self
    where
        S: Clone,
    {
        let oneshot = Oneshot::new(lease.0.service.clone(), request);
        Self {
            state: State::Routed { oneshot, lease },
        }
    }

    pub(crate) fn refused(error: Error) -> Self {
        Self {
            state: State::Refused { error: Some(error) },
        }
    }
}

impl<S, R> Future for ResponseFuture<S, R>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let answer = match state.as_mut().project() {
            StateProj::Routed { oneshot, .. } => ready!(oneshot.poll(cx)),
            StateProj::Refused { error } => {
                let error = error.take().expect("a refusal has its error");
                Err(error.into())
            }
            StateProj::Done => panic!("polled after the answer was given"),
        };
        state.set(State::Done);
        Poll::Ready(answer)
    }
}

impl<S: Service<R>, R> fmt::Debug for ResponseFuture<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
