use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, Uri};
use http_body::Body as HttpBody;
use standpipe_circuit_breaker::LateCall;
use standpipe_core::{Body, Error, HttpClassifier, Outcome};

/// The chunks of a response body as they come; made by
/// [`Response::bytes_stream`](crate::Response::bytes_stream).
///
/// What is not asked for is not read: the connection holds no more than its own buffers. At the end
/// of the body, or after an error, the stream has ended and the connection is given back.
///
/// # Errors
///
/// What the body failed with, such as [`BodyIdleTimeout`](crate::ErrorKind::BodyIdleTimeout) after a
/// silence; nothing comes after it.
///
/// # Cancel safety
///
/// Dropping the stream closes its HTTP/1.1 connection, or resets its HTTP/2 stream, at once, unless
/// the rest of the body is there already.
pub struct BytesStream {
    /// None once it has ended, so that nothing is held any longer.
    body: Option<Body>,
    url: Uri,
    trailers: Option<HeaderMap>,
    read: u64,
    /// For the origin's circuit, which took the head for a success.
    late: Option<LateCall>,
}

impl BytesStream {
    pub(crate) fn new(
        body: Body,
        url: Uri,
        trailers: Option<HeaderMap>,
        late: Option<LateCall>,
    ) -> Self {
        Self {
            body: Some(body),
            url,
            trailers,
            read: 0,
            late,
        }
    }

    /// The next chunk, which is not empty; none at the end.
    ///
    /// # Errors
    ///
    /// As the stream.
    ///
    /// # Cancel safety
    ///
    /// Nothing read is lost.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        std::future::poll_fn(|cx| self.poll_next_chunk(cx)).await
    }

    /// The trailers, once the stream has ended with some.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    /// How many bytes were given.
    pub fn bytes_read(&self) -> u64 {
        self.read
    }

    fn poll_next_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let chunk = ready!(self.poll_chunk(cx));
        if chunk.is_none() {
            self.tell(Outcome::Success);
        }
        Poll::Ready(chunk)
    }

    /// The next chunk, for a reader that says itself whether the end is a good one.
    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = ready!(poll_data(body, &mut self.trailers, cx));
        Poll::Ready(match polled {
            Some(Ok(data)) => {
                self.read += data.len() as u64;
                Some(Ok(data))
            }
            Some(Err(error)) => {
                self.body = None;
                let error = error.with_url(&self.url);
                self.tell(HttpClassifier::error(&error.clone().into()));
                Some(Err(error))
            }
            None => {
                self.body = None;
                None
            }
        })
    }

    /// Tells the origin's circuit how the stream ended; the first word counts.
    pub(crate) fn tell(&mut self, outcome: Outcome) {
        if let Some(late) = self.late.take() {
            late.finish(outcome);
        }
    }

    /// Reads no more and gives the connection back, or closes it.
    pub(crate) fn end(&mut self) {
        self.body = None;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.body.is_none()
    }

    pub(crate) fn url(&self) -> &Uri {
        &self.url
    }
}

impl Stream for BytesStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_next_chunk(cx)
    }
}

impl fmt::Debug for BytesStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BytesStream")
            .field("body", &self.body)
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}

/// The next data of `body` that is any; trailers go where they are kept.
pub(crate) fn poll_data(
    body: &mut Body,
    trailers: &mut Option<HeaderMap>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, Error>>> {
    loop {
        let frame = match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        };
        match frame.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => return Poll::Ready(Some(Ok(data))),
            Err(frame) => *trailers = frame.into_trailers().ok(),
        }
    }
}
