use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Request;
use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Closing, Error, ErrorKind, Origin, Phase};
use tower_service::Service;

/// A service from outside at the bottom of a pool: once the pool was shut down it is called no more, as
/// our transport takes no more requests then.
#[derive(Clone, Debug)]
pub struct UntilShutdown<S> {
    inner: S,
    origin: Origin,
    closing: Closing,
}

impl<S> UntilShutdown<S> {
    pub(super) fn new(inner: S, origin: &Origin, closing: &Closing) -> Self {
        Self {
            inner,
            origin: origin.clone(),
            closing: closing.clone(),
        }
    }

    /// The service itself.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    #[cold]
    fn refusal(&self) -> Error {
        Error::new(ErrorKind::Shutdown)
            .with_phase(Phase::Admit)
            .with_origin(self.origin.clone())
    }
}

impl<S, B> Service<Request<B>> for UntilShutdown<S>
where
    S: Service<Request<B>, Error = BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = UntilShutdownFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let way = match self.closing.is_closed() {
            true => Way::Refused {
                error: Some(self.refusal()),
            },
            false => Way::Called {
                future: self.inner.call(request),
            },
        };
        UntilShutdownFuture { way }
    }
}

pin_project! {
    /// The future of [`UntilShutdown`].
    #[derive(Debug)]
    pub struct UntilShutdownFuture<F> {
        #[pin]
        way: Way<F>,
    }
}

pin_project! {
    #[project = WayProj]
    #[derive(Debug)]
    enum Way<F> {
        Called { #[pin] future: F },
        Refused { error: Option<Error> },
    }
}

impl<F, R> Future for UntilShutdownFuture<F>
where
    F: Future<Output = Result<R, BoxError>>,
{
    type Output = Result<R, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            WayProj::Called { future } => future.poll(cx),
            WayProj::Refused { error } => {
                let error = error.take().expect("polled after the refusal was given");
                Poll::Ready(Err(error.into()))
            }
        }
    }
}
