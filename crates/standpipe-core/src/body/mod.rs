//! The one body type of requests and responses.

mod kept;
#[cfg(test)]
mod kept_tests;
mod kind;
mod reader;
mod replay;
mod replay_body;
mod store;
#[cfg(test)]
mod tests;
mod unread;

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};

use kind::{BoxBody, Kind, Prefixed, StreamBody};
use reader::ReaderBody;
pub use replay::Replay;
pub use replay_body::ReplayBody;
pub use unread::Unread;

use crate::{BoxError, ConnectionInfo, Deadline, Error, ErrorKind, Phase};

/// A request or response body: empty, bytes, a factory that can be called again, or a stream.
///
/// It is one type for all, so that nothing above the transport is generic over bodies; only a
/// stream or a factory is boxed. A request's [`Deadline`] and a response's [`ConnectionInfo`] ride
/// in it, which costs nothing.
///
/// ```
/// use standpipe_core::{Body, Replay};
///
/// let body = Body::from("hello");
/// assert_eq!(body.as_bytes().unwrap(), "hello");
/// assert!(body.replay().is_some());
/// ```
pub struct Body {
    kind: Kind,
    deadline: Option<Deadline>,
    connection: Option<ConnectionInfo>,
}

impl Body {
    /// A body without a byte.
    #[inline]
    pub fn empty() -> Self {
        Self::of(Kind::Empty)
    }

    /// Takes any body: a [`Body`], `Full<Bytes>` or `Empty<Bytes>` as what it is, any other as a
    /// stream in a box.
    ///
    /// An error of the body becomes an [`Error`] of kind [`RequestBody`](ErrorKind::RequestBody),
    /// unless it holds an [`Error`] already.
    #[inline]
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let body = match downcast::<B, Self>(body) {
            Ok(body) => return body,
            Err(body) => body,
        };
        let body = match downcast::<B, Full<Bytes>>(body) {
            Ok(full) => return full.into(),
            Err(body) => body,
        };
        match downcast::<B, Empty<Bytes>>(body) {
            Ok(_) => Self::empty(),
            Err(body) if body.is_end_stream() => Self::empty(),
            Err(body) => Self::of(Kind::Stream(boxed(body))),
        }
    }

    /// The request with its body taken by [`new`](Body::new). A [`Deadline`] in its extensions is
    /// moved into the body.
    pub fn for_request<B>(request: http::Request<B>) -> http::Request<Self>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let deadline = Deadline::of(&request);
        let mut request = request.map(Self::new);
        request.body_mut().deadline = deadline;
        request
    }

    /// As [`new`](Body::new), for a body that may be complete already: it is asked for its first
    /// frame, and one that ends with that needs no box. Where the body has nothing yet, `cx` is
    /// the one that is woken, so the caller must poll on.
    pub fn poll_new<B>(mut body: B, cx: &mut Context<'_>) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let first = match Pin::new(&mut body).poll_frame(cx) {
            Poll::Pending => return Self::of(Kind::Stream(boxed(body))),
            Poll::Ready(None) => return Self::empty(),
            Poll::Ready(Some(first)) => first.map_err(user_error),
        };
        Self::poll_after(first, body, cx)
    }

    /// As [`poll_new`](Body::poll_new), for a body of which the first frame was taken already.
    pub fn poll_after<B>(
        first: Result<Frame<Bytes>, Error>,
        mut body: B,
        cx: &mut Context<'_>,
    ) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let first = match first {
            Ok(frame) => match frame.into_data() {
                Ok(bytes) if body.is_end_stream() => return Self::from(bytes),
                Ok(bytes) => Ok(Frame::data(bytes)),
                Err(frame) => Ok(frame),
            },
            Err(error) => Err(error),
        };
        // A body of unknown length says that it has ended only when it is asked once more.
        match (Pin::new(&mut body).poll_frame(cx), first) {
            (Poll::Ready(None), Ok(frame)) if frame.is_data() => {
                Self::from(frame.into_data().unwrap_or_default())
            }
            (second, first) => {
                let second = match second {
                    Poll::Ready(Some(second)) => Some(second.map_err(user_error)),
                    Poll::Ready(None) | Poll::Pending => None,
                };
                let rest = Prefixed::new(first, second, boxed(body));
                Self::of(Kind::Stream(Box::pin(rest)))
            }
        }
    }

    /// A body that `make` makes anew for each attempt, so that a retry can send it again. It is
    /// called once here and once for each replay.
    pub fn from_fn<F, B>(make: F) -> Self
    where
        F: Fn() -> B + Send + Sync + 'static,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let make = Arc::new(move || boxed(make()));
        let current = make();
        Self::of(Kind::Factory { make, current })
    }

    /// A body of the chunks that `stream` gives. Its length is unknown beforehand. It can be sent
    /// once, or again by a retry that [has it kept](Replay::keep) up to a cap.
    pub fn from_stream<S, D, E>(stream: S) -> Self
    where
        S: futures_core::Stream<Item = Result<D, E>> + Send + 'static,
        D: Into<Bytes> + 'static,
        E: Into<BoxError> + 'static,
    {
        Self::of(Kind::Stream(Box::pin(StreamBody::new(stream))))
    }

    /// A body of what `reader` gives, read in pieces of up to 64 KiB as they are asked for. Its length is
    /// unknown beforehand, unless the request's `Content-Length` tells it; it can be sent as often as
    /// one [from a stream](Body::from_stream).
    pub fn from_reader<R>(reader: R) -> Self
    where
        R: tokio::io::AsyncRead + Send + 'static,
    {
        Self::of(Kind::Stream(Box::pin(ReaderBody::new(reader))))
    }

    /// The bytes, when the body is nothing but bytes in memory and none were taken yet.
    #[inline]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        static EMPTY: Bytes = Bytes::new();
        match &self.kind {
            Kind::Full(bytes) => Some(bytes),
            Kind::Empty => Some(&EMPTY),
            Kind::Factory { .. } | Kind::Stream(_) | Kind::Kept(_) => None,
        }
    }

    /// Whether all of it is in memory: reading it neither waits nor fails.
    #[inline]
    pub fn is_buffered(&self) -> bool {
        self.as_bytes().is_some()
    }

    /// The deadline of the request that this body belongs to.
    #[inline]
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Sets the deadline that rides along; [`Deadline::attach`] is the way to do it.
    #[inline]
    pub fn set_deadline(&mut self, deadline: Option<Deadline>) {
        self.deadline = deadline;
    }

    /// The connection that brought this response body; `None` for a request's, and where a layer
    /// in between has replaced the body with one of its own.
    #[inline]
    pub fn connection_info(&self) -> Option<&ConnectionInfo> {
        self.connection.as_ref()
    }

    /// Sets the connection that rides along; the transport does.
    #[inline]
    pub fn set_connection_info(&mut self, info: Option<ConnectionInfo>) {
        self.connection = info;
    }

    #[inline]
    fn of(kind: Kind) -> Self {
        Self {
            kind,
            deadline: None,
            connection: None,
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let kind = &mut self.get_mut().kind;
        match kind {
            Kind::Empty => Poll::Ready(None),
            Kind::Full(_) => match std::mem::take(kind) {
                // It is never empty.
                Kind::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                _ => Poll::Ready(None),
            },
            Kind::Factory { current: body, .. } | Kind::Stream(body) => {
                body.as_mut().poll_frame(cx)
            }
            Kind::Kept(body) => Pin::new(body).poll_frame(cx),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Full(bytes) => bytes.is_empty(),
            Kind::Factory { current: body, .. } | Kind::Stream(body) => body.is_end_stream(),
            Kind::Kept(body) => body.is_end_stream(),
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Factory { current: body, .. } | Kind::Stream(body) => body.size_hint(),
            Kind::Kept(body) => body.size_hint(),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Empty => f.write_str("Body(empty)"),
            Kind::Full(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Kind::Factory { .. } => f.write_str("Body(factory)"),
            Kind::Stream(_) | Kind::Kept(_) => f.write_str("Body(stream)"),
        }
    }
}

impl From<Bytes> for Body {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::empty()
        } else {
            Self::of(Kind::Full(bytes))
        }
    }
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::empty()
    }
}

macro_rules! from_bytes_like {
    ($($ty:ty),*) => {$(
        impl From<$ty> for Body {
            fn from(value: $ty) -> Self {
                Bytes::from(value).into()
            }
        }
    )*};
}

from_bytes_like!(&'static str, &'static [u8], String, Vec<u8>, Box<[u8]>);

impl From<Full<Bytes>> for Body {
    fn from(body: Full<Bytes>) -> Self {
        let mut body = body;
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match Pin::new(&mut body).poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default().into(),
            _ => Self::empty(),
        }
    }
}

impl From<Empty<Bytes>> for Body {
    fn from(_: Empty<Bytes>) -> Self {
        Self::empty()
    }
}

/// `value` as a `U`, where that is what `T` is. The check is of types alone, so it costs nothing
/// once compiled.
fn downcast<T: 'static, U: 'static>(value: T) -> Result<U, T> {
    let mut slot = Some(value);
    if let Some(same) = (&mut slot as &mut dyn Any).downcast_mut::<Option<U>>()
        && let Some(value) = same.take()
    {
        return Ok(value);
    }
    match slot {
        Some(value) => Err(value),
        None => unreachable!("only a value of the other type is taken out"),
    }
}

fn boxed<B>(body: B) -> BoxBody
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    Box::pin(body.map_err(user_error))
}

/// The error of a body that someone handed in: one of ours passes through.
fn user_error(error: impl Into<BoxError>) -> Error {
    let error = error.into();
    match Error::find(error.as_ref()) {
        Some(found) => found.clone(),
        None => Error::new(ErrorKind::RequestBody)
            .with_phase(Phase::Exchange)
            .with_request_sent(crate::RequestSent::Maybe)
            .with_source(error),
    }
}
