//! A response: its head, and the ways to read its body.

mod content_type;
mod read;
mod status;
mod streams;

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Extensions, HeaderMap, StatusCode, Uri, Version};
use standpipe_circuit_breaker::LateCall;
use standpipe_core::{Body, BoxError, ConnectionInfo, HttpClassifier, Outcome, RetryInfo};

use crate::{CircuitHandle, PoolConfig};
use content_type::ContentType;

/// A response whose body is still to be read.
///
/// Dropped unread, it keeps its connection if the rest of the body is there already; else an
/// HTTP/1.1 connection is closed and an HTTP/2 stream reset.
///
/// [`bytes`](Response::bytes), [`text`](Response::text) and `json` read all of the body, up to a limit;
/// [`chunk`](Response::chunk), [`bytes_stream`](Response::bytes_stream), [`lines`](Response::lines) and
/// [`events`](Response::events) read it as it comes, however long it is.
#[derive(Debug)]
pub struct Response {
    inner: http::Response<Body>,
    limit: u64,
    url: Uri,
    /// Those that [`chunk`](Response::chunk) came upon.
    trailers: Option<HeaderMap>,
    /// For the origin's circuit, where the response was sent for as a stream.
    late: Option<LateCall>,
}

impl Response {
    pub(crate) fn new(inner: http::Response<Body>, limit: u64, url: Uri) -> Self {
        Self {
            inner,
            limit,
            url,
            trailers: None,
            late: None,
        }
    }

    /// The same, whose streams tell the circuit of their origin how they end.
    pub(crate) fn followed_by(mut self, circuit: Option<&CircuitHandle>) -> Self {
        // A head that was a failure has been counted as one.
        if HttpClassifier::status(self.status()) == Outcome::Success {
            self.late = circuit.map(CircuitHandle::late_call);
        }
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// The HTTP version it came by.
    pub fn version(&self) -> Version {
        self.inner.version()
    }

    /// The URL that was asked; `/` for a response that no pool has made.
    pub fn url(&self) -> &Uri {
        &self.url
    }

    /// The length of the body that the head tells, in bytes; the answer to a HEAD tells that of the
    /// body it does not have.
    pub fn content_length(&self) -> Option<u64> {
        let value = self.headers().get(CONTENT_LENGTH)?;
        value.to_str().ok()?.parse().ok()
    }

    /// The trailers, once [`chunk`](Response::chunk) has come to the end of a body that has some.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    /// What the layers below left here.
    pub fn extensions(&self) -> &Extensions {
        self.inner.extensions()
    }

    /// How often the request was sent and how long was waited between; none where the first answer
    /// is this one, and would not have been tried again.
    pub fn retry_info(&self) -> Option<RetryInfo> {
        self.inner.extensions().get().copied()
    }

    /// The connection that brought it.
    pub fn connection_info(&self) -> Option<&ConnectionInfo> {
        self.inner.body().connection_info()
    }

    /// The address of the server, or of the proxy in between, where the connector tells.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.connection_info()?.peer
    }

    /// The largest body that [`bytes`](Response::bytes), [`text`](Response::text) and
    /// `json` read, in bytes, in place of the pool's `max_response_bytes`.
    #[must_use]
    pub fn max_bytes(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }

    /// The body, to be read frame by frame.
    pub fn into_body(self) -> Body {
        self.inner.into_body()
    }

    /// The same with `bytes` before what is left of the body.
    #[cfg(feature = "blocking")]
    pub(crate) fn with_unread(self, bytes: Bytes) -> Self {
        if bytes.is_empty() {
            return self;
        }
        let first = http_body::Frame::data(bytes);
        let inner = self
            .inner
            .map(|body| standpipe_core::Unread::unread(body, [Ok(first)].into()));
        Self { inner, ..self }
    }

    fn content_type(&self) -> Option<ContentType<'_>> {
        ContentType::of(self.headers())
    }
}

impl From<Response> for http::Response<Body> {
    fn from(response: Response) -> Self {
        response.inner
    }
}

/// A response that was made elsewhere, with the limit on its size that a pool has by default.
impl<B> From<http::Response<B>> for Response
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn from(response: http::Response<B>) -> Self {
        let limit = PoolConfig::default().max_response_bytes;
        Self::new(response.map(Body::new), limit, Uri::default())
    }
}
