use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Error, Origin};
use tower_service::Service;

/// A host's service with a layer around it that may refuse, or the same without: what is off costs
/// one comparison.
///
/// A layer that is generic over the request knows no origin; what it refuses is given the host's.
#[derive(Clone, Debug)]
pub enum Optional<L, S> {
    /// With the layer.
    On(L, Origin),
    /// Without.
    Off(S),
}

impl<L, S, R> Service<R> for Optional<L, S>
where
    L: Service<R, Error = BoxError>,
    S: Service<R, Response = L::Response, Error = BoxError>,
{
    type Response = L::Response;
    type Error = BoxError;
    type Future = OptionalFuture<L::Future, S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::On(layered, _) => layered.poll_ready(cx),
            Self::Off(plain) => plain.poll_ready(cx),
        }
    }

    #[inline]
    fn call(&mut self, request: R) -> Self::Future {
        match self {
            Self::On(layered, origin) => OptionalFuture {
                way: Way::On {
                    future: layered.call(request),
                    origin: origin.clone(),
                },
            },
            Self::Off(plain) => OptionalFuture {
                way: Way::Off {
                    future: plain.call(request),
                },
            },
        }
    }
}

pin_project! {
    /// The future of [`Optional`].
    #[derive(Debug)]
    pub struct OptionalFuture<A, B> {
        #[pin]
        way: Way<A, B>,
    }
}

pin_project! {
    #[project = WayProj]
    #[derive(Debug)]
    enum Way<A, B> {
        On { #[pin] future: A, origin: Origin },
        Off { #[pin] future: B },
    }
}

impl<A, B, R> Future for OptionalFuture<A, B>
where
    A: Future<Output = Result<R, BoxError>>,
    B: Future<Output = Result<R, BoxError>>,
{
    type Output = Result<R, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            WayProj::On { future, origin } => {
                let answer = ready!(future.poll(cx));
                Poll::Ready(answer.map_err(|error| named(error, origin)))
            }
            WayProj::Off { future } => future.poll(cx),
        }
    }
}

#[cold]
fn named(error: BoxError, origin: &Origin) -> BoxError {
    match error.downcast_ref::<Error>() {
        Some(known) if known.origin().is_none() => {
            let error = Error::from_boxed(error);
            error.with_origin(origin.clone()).into()
        }
        _ => error,
    }
}
