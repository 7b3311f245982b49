use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http::{Extensions, HeaderMap, StatusCode, Version};
use http_body::Body as HttpBody;
use standpipe_core::{Body, ConnectionInfo, Error, ErrorKind, Phase, RequestSent, RetryInfo};

/// A response whose body is still to be read.
///
/// Dropped unread, it keeps its connection if the rest of the body is there already; else an
/// HTTP/1.1 connection is closed and an HTTP/2 stream reset.
#[derive(Debug)]
pub struct Response {
    inner: http::Response<Body>,
    limit: u64,
}

impl Response {
    pub(crate) fn new(inner: http::Response<Body>, limit: u64) -> Self {
        Self { inner, limit }
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

    /// The largest body that [`bytes`](Response::bytes), [`text`](Response::text) and
    /// [`json`](Response::json) read, in bytes, in place of the pool's `max_response_bytes`.
    #[must_use]
    pub fn max_bytes(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// [`BodyTooLarge`](ErrorKind::BodyTooLarge) beyond the limit, before anything is read where
    /// the head tells the length; else what went wrong underway.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let limit = self.limit;
        let mut body = self.inner.into_body();
        if let Some(whole) = body.as_bytes() {
            return within(whole.len() as u64, limit).map(|()| whole.clone());
        }
        within(body.size_hint().lower(), limit)?;
        let mut first: Option<Bytes> = None;
        let mut rest = BytesMut::new();
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
        {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            let length = first.as_ref().map_or(0, Bytes::len) + rest.len() + data.len();
            within(length as u64, limit)?;
            match (&first, rest.is_empty()) {
                (None, true) => first = Some(data),
                _ => {
                    // The chunks are joined from the second one on; a single one is not copied.
                    if let Some(first) = first.take() {
                        rest.extend_from_slice(&first);
                    }
                    rest.extend_from_slice(&data);
                }
            }
        }
        Ok(first.unwrap_or_else(|| rest.freeze()))
    }

    /// The whole body as UTF-8 text.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Response::bytes), and [`Decode`](ErrorKind::Decode) where it is not UTF-8.
    pub async fn text(self) -> Result<String, Error> {
        let bytes = self.bytes().await?;
        String::from_utf8(bytes.into()).map_err(|error| undecodable("UTF-8").with_source(error))
    }

    /// The whole body, read as JSON.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Response::bytes), and [`Decode`](ErrorKind::Decode) where it is not the JSON of
    /// a `T`.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, Error> {
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| undecodable("the JSON asked for").with_source(error))
    }

    /// The body, to be read frame by frame.
    pub fn into_body(self) -> Body {
        self.inner.into_body()
    }
}

impl From<Response> for http::Response<Body> {
    fn from(response: Response) -> Self {
        response.inner
    }
}

fn within(length: u64, limit: u64) -> Result<(), Error> {
    if length <= limit {
        return Ok(());
    }
    Err(Error::new(ErrorKind::BodyTooLarge { limit })
        .with_phase(Phase::Body)
        .with_request_sent(RequestSent::Yes))
}

fn undecodable(what: &str) -> Error {
    Error::new(ErrorKind::Decode)
        .with_phase(Phase::Body)
        .with_request_sent(RequestSent::Yes)
        .with_message(format!("the body is not {what}"))
}
