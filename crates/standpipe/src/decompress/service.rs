use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, RANGE};
use http::{HeaderValue, Method, Request, Response};
use http_body::Body;
use standpipe_core::BoxError;
use tower_service::Service;

use super::limits::Limits;
use super::{DecompressBody, DecompressFuture};

/// Asks for compressed answers and decodes them; made by [`DecompressLayer`](super::DecompressLayer).
///
/// A request gets an `Accept-Encoding` unless it has one, has a `Range`, or is a HEAD; it is the answers
/// to these requests that are decoded, so whoever sets the header gets the body as it comes. Of a
/// decoded answer `Content-Encoding` and `Content-Length` are taken away. An answer passes untouched
/// when it is a 204, 206 or 304, when it is empty, and when its encoding is one that was not asked for
/// or several, one upon the other.
///
/// # Errors
///
/// The inner service's pass unchanged. The body has its own, see [`DecompressBody`].
///
/// # Clone
///
/// A clone has the same settings; there is no state to share.
#[derive(Clone, Debug)]
pub struct Decompress<S> {
    inner: S,
    /// None where nothing is decompressed. Shared, as a stack is cloned for each request.
    asked: Option<Arc<Asked>>,
}

/// What is asked of a server, and how much is taken from it.
#[derive(Debug)]
struct Asked {
    accept: HeaderValue,
    limits: Limits,
}

impl<S> Decompress<S> {
    pub(super) fn new(inner: S, accept: Option<HeaderValue>, limits: Limits) -> Self {
        let asked = accept.map(|accept| Arc::new(Asked { accept, limits }));
        Self { inner, asked }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S, B, R> Service<Request<B>> for Decompress<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<DecompressBody<R>>;
    type Error = S::Error;
    type Future = DecompressFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        // A request that is not lent out is handed on without a copy.
        let Some(asked) = &self.asked else {
            return DecompressFuture::new(self.inner.call(request), None);
        };
        let (request, ours) = asking(request, &asked.accept);
        DecompressFuture::new(self.inner.call(request), ours.then_some(asked.limits))
    }
}

/// The request with `accept`, and whether it left the encoding to us.
#[inline]
fn asking<B>(mut request: Request<B>, accept: &HeaderValue) -> (Request<B>, bool) {
    let ours = leaves_it_to_us(&request);
    if ours {
        request
            .headers_mut()
            .insert(ACCEPT_ENCODING, accept.clone());
    }
    (request, ours)
}

#[inline]
fn leaves_it_to_us<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let silent = headers.is_empty()
        || (!headers.contains_key(ACCEPT_ENCODING) && !headers.contains_key(RANGE));
    silent && *request.method() != Method::HEAD
}
