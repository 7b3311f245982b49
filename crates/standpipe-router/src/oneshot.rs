use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use standpipe_core::BoxError;
use tower_service::Service;

pin_project! {
    /// Waits for the service's readiness, calls it and waits for its answer.
    #[project = StateProj]
    pub(crate) enum Oneshot<S, R>
    where
        S: Service<R>,
    {
        Waiting { service: S, request: Option<R> },
        Called { #[pin] future: S::Future },
        Done,
    }
}

impl<S: Service<R>, R> Oneshot<S, R> {
    pub(crate) fn new(service: S, request: R) -> Self {
        Self::Waiting {
            service,
            request: Some(request),
        }
    }
}

impl<S, R> Future for Oneshot<S, R>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project() {
                // Waiting => Called, or Done when the service fails to become ready
                StateProj::Waiting { service, request } => {
                    if let Err(error) = ready!(service.poll_ready(cx)) {
                        self.set(Self::Done);
                        return Poll::Ready(Err(error.into()));
                    }
                    let request = request.take().expect("a waiting call has its request");
                    let future = service.call(request);
                    self.set(Self::Called { future });
                }
                // Called => Done
                StateProj::Called { future } => {
                    let answer = ready!(future.poll(cx));
                    self.set(Self::Done);
                    return Poll::Ready(answer.map_err(Into::into));
                }
                StateProj::Done => panic!("polled after the answer was given"),
            }
        }
    }
}
