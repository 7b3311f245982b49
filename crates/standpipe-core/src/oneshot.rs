//! Driving a service whose readiness cannot be waited for beforehand.
//!
//! This module is for the crates of this workspace and is no part of the stable interface.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

use crate::BoxError;

pin_project! {
    /// Waits for the service's readiness, calls it and waits for its answer.
    #[project = StateProj]
    pub enum Oneshot<S, R>
    where
        S: Service<R>,
    {
        /// The service is not ready yet.
        Waiting { service: S, request: Option<R> },
        /// The service was called.
        Called { #[pin] future: S::Future },
        /// The answer was given.
        Done,
    }
}

impl<S: Service<R>, R> Oneshot<S, R> {
    /// Calls `service` with `request` once it is ready.
    pub fn new(service: S, request: R) -> Self {
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
