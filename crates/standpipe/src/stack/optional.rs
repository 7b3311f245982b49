use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use standpipe_core::BoxError;
use tower_service::Service;

/// A service with a layer around it, or the same without: what is off costs one comparison.
#[derive(Clone, Copy, Debug)]
pub enum Optional<L, S> {
    /// With the layer.
    On(L),
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
            Self::On(layered) => layered.poll_ready(cx),
            Self::Off(plain) => plain.poll_ready(cx),
        }
    }

    #[inline]
    fn call(&mut self, request: R) -> Self::Future {
        match self {
            Self::On(layered) => OptionalFuture {
                way: Way::On {
                    future: layered.call(request),
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
        On { #[pin] future: A },
        Off { #[pin] future: B },
    }
}

impl<A, B> Future for OptionalFuture<A, B>
where
    A: Future,
    B: Future<Output = A::Output>,
{
    type Output = A::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A::Output> {
        match self.project().way.project() {
            WayProj::On { future } => future.poll(cx),
            WayProj::Off { future } => future.poll(cx),
        }
    }
}
