use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http::{Extensions, HeaderMap, StatusCode, Uri, Version};
use standpipe_core::{ConnectionInfo, Error, RetryInfo};

use super::Iter;
use super::runtime::Runtime;
use crate::stream::{BytesStream, Lines};

/// A response whose body is still to be read: at once, or as it comes by [`Read`](io::Read),
/// [`chunk`](Response::chunk) or an iterator.
///
/// It is a [`Response`](crate::Response) whose methods wait. It keeps the pool's thread.
#[derive(Debug)]
pub struct Response {
    inner: crate::Response,
    /// What [`Read`](io::Read) has taken of the body and not given yet.
    left: Bytes,
    runtime: Arc<Runtime>,
}

macro_rules! forward {
    ($($name:ident -> $ty:ty;)*) => {$(
        #[doc = concat!(
            "As [`", stringify!($name), "`](crate::Response::", stringify!($name), ") there."
        )]
        pub fn $name(&self) -> $ty {
            self.inner.$name()
        }
    )*};
}

impl Response {
    pub(super) fn new(inner: crate::Response, runtime: Arc<Runtime>) -> Self {
        Self {
            inner,
            left: Bytes::new(),
            runtime,
        }
    }

    forward! {
        status -> StatusCode;
        headers -> &HeaderMap;
        version -> Version;
        url -> &Uri;
        content_length -> Option<u64>;
        trailers -> Option<&HeaderMap>;
        extensions -> &Extensions;
        retry_info -> Option<RetryInfo>;
        connection_info -> Option<&ConnectionInfo>;
        remote_addr -> Option<SocketAddr>;
    }

    /// As [`max_bytes`](crate::Response::max_bytes) there.
    #[must_use]
    pub fn max_bytes(mut self, limit: u64) -> Self {
        self.inner = self.inner.max_bytes(limit);
        self
    }

    /// As [`error_for_status`](crate::Response::error_for_status) there.
    ///
    /// # Errors
    ///
    /// [`Status`](crate::ErrorKind::Status).
    pub fn error_for_status(self) -> Result<Self, Error> {
        let inner = self.inner.error_for_status()?;
        Ok(Self { inner, ..self })
    }

    /// As [`error_for_status_ref`](crate::Response::error_for_status_ref) there.
    ///
    /// # Errors
    ///
    /// [`Status`](crate::ErrorKind::Status).
    pub fn error_for_status_ref(&self) -> Result<&Self, Error> {
        self.inner.error_for_status_ref().map(|_| self)
    }

    /// The whole body, or what was not read of it yet; so all that follow.
    ///
    /// # Errors
    ///
    /// Those of [`bytes`](crate::Response::bytes) there, and in an async context
    /// [`Runtime`](crate::ErrorKind::Runtime); so all that follow.
    pub fn bytes(self) -> Result<Bytes, Error> {
        let (response, runtime) = self.unread();
        runtime.wait(response.bytes())?
    }

    /// The whole body as text.
    ///
    /// # Errors
    ///
    /// Those of [`text`](crate::Response::text) there.
    pub fn text(self) -> Result<String, Error> {
        let (response, runtime) = self.unread();
        runtime.wait(response.text())?
    }

    /// As [`text_with_charset`](crate::Response::text_with_charset) there.
    ///
    /// # Errors
    ///
    /// The same.
    #[cfg(feature = "charset")]
    pub fn text_with_charset(self, charset: &str) -> Result<String, Error> {
        let (response, runtime) = self.unread();
        runtime.wait(response.text_with_charset(charset))?
    }

    /// The whole body, read as JSON.
    ///
    /// # Errors
    ///
    /// Those of [`json`](crate::Response::json) there.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, Error> {
        let (response, runtime) = self.unread();
        runtime.wait(response.json())?
    }

    /// The next chunk of the body, which is not empty; none at its end.
    ///
    /// # Errors
    ///
    /// What went wrong underway.
    pub fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        if !self.left.is_empty() {
            return Ok(Some(std::mem::take(&mut self.left)));
        }
        self.runtime.wait(self.inner.chunk())?
    }

    /// The chunks of the body as they come.
    pub fn bytes_iter(self) -> Iter<BytesStream> {
        let (response, runtime) = self.unread();
        Iter::new(response.bytes_stream(), runtime)
    }

    /// The lines of the body as they come; [`map_inner`](Iter::map_inner) sets their limit.
    pub fn lines(self) -> Iter<Lines> {
        let (response, runtime) = self.unread();
        Iter::new(response.lines(), runtime)
    }

    /// The body's server-sent events as they come.
    ///
    /// # Errors
    ///
    /// Those of [`events`](crate::Response::events) there.
    pub fn events(self) -> Result<Iter<crate::sse::Events>, Error> {
        let (response, runtime) = self.unread();
        Ok(Iter::new(response.events()?, runtime))
    }

    /// The response with what is left of its body.
    fn unread(self) -> (crate::Response, Arc<Runtime>) {
        (self.inner.with_unread(self.left), self.runtime)
    }
}

/// Gives the body as it comes, without a limit on its length. What goes wrong is told with the
/// [`Error`] as its cause.
impl io::Read for Response {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left.is_empty() {
            let chunk = self.chunk().map_err(io::Error::other)?;
            self.left = chunk.unwrap_or_default();
        }
        let length = buffer.len().min(self.left.len());
        self.left.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// The response for async code, with what was not read of its body yet. It does not keep the pool's
/// thread, and so fails where that has ended.
impl From<Response> for crate::Response {
    fn from(response: Response) -> Self {
        response.unread().0
    }
}
