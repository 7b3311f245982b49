use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use standpipe_core::BoxError;

use super::DecompressBody;
use super::encoding::Encoding;
use super::limits::Limits;

pin_project! {
    /// The call of a [`Decompress`](super::Decompress), up to the response head.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the inner call.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct DecompressFuture<F> {
        #[pin]
        inner: F,
        // None where the request did not leave the encoding to us.
        limits: Option<Limits>,
    }
}

impl<F> DecompressFuture<F> {
    #[inline]
    pub(super) fn new(inner: F, limits: Option<Limits>) -> Self {
        Self { inner, limits }
    }
}

impl<F, R, E> Future for DecompressFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<DecompressBody<R>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = match ready!(this.inner.poll(cx)) {
            Ok(response) => response,
            Err(error) => return Poll::Ready(Err(error)),
        };
        Poll::Ready(Ok(match *this.limits {
            Some(limits) if response.headers().contains_key(CONTENT_ENCODING) => {
                encoded(response, limits)
            }
            _ => response.map(DecompressBody::plain),
        }))
    }
}

/// An answer that says how it is encoded.
#[cold]
fn encoded<R>(mut response: Response<R>, limits: Limits) -> Response<DecompressBody<R>>
where
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    let partial_or_none = [
        StatusCode::NO_CONTENT,
        StatusCode::PARTIAL_CONTENT,
        StatusCode::NOT_MODIFIED,
    ];
    if partial_or_none.contains(&response.status()) || response.body().is_end_stream() {
        return response.map(DecompressBody::plain);
    }
    let Some(encoding) = Encoding::of(response.headers()) else {
        return response.map(DecompressBody::plain);
    };
    response.headers_mut().remove(CONTENT_ENCODING);
    response.headers_mut().remove(CONTENT_LENGTH);
    response.map(|body| DecompressBody::decoded(encoding, body, limits))
}
