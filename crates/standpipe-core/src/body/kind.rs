use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::kept::Kept;
use super::user_error;
use crate::{BoxError, Error};

pub(super) type BoxBody = Pin<Box<dyn HttpBody<Data = Bytes, Error = Error> + Send>>;

pub(super) type MakeBody = Arc<dyn Fn() -> BoxBody + Send + Sync>;

#[derive(Default)]
pub(super) enum Kind {
    #[default]
    Empty,
    /// Never empty, so that `Empty` alone says so.
    Full(Bytes),
    Factory {
        make: MakeBody,
        current: BoxBody,
    },
    Stream(BoxBody),
    /// A stream that is kept to be sent again.
    Kept(Kept<BoxBody>),
}

/// A body whose first frames were taken already.
pub(super) struct Prefixed {
    first: Option<Result<Frame<Bytes>, Error>>,
    second: Option<Result<Frame<Bytes>, Error>>,
    rest: BoxBody,
}

impl Prefixed {
    pub(super) fn new(
        first: Result<Frame<Bytes>, Error>,
        second: Option<Result<Frame<Bytes>, Error>>,
        rest: BoxBody,
    ) -> Self {
        Self {
            first: Some(first),
            second,
            rest,
        }
    }
}

impl HttpBody for Prefixed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        match this.first.take().or_else(|| this.second.take()) {
            Some(frame) => Poll::Ready(Some(frame)),
            None => this.rest.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.second.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let held = |frame: &Option<Result<Frame<Bytes>, Error>>| match frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, |data| data.len() as u64),
            _ => 0,
        };
        let held = held(&self.first) + held(&self.second);
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + held);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + held);
        }
        hint
    }
}

impl fmt::Debug for Prefixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prefixed")
    }
}

pin_project! {
    /// A stream of chunks as a body; empty chunks are left out, since they would say nothing.
    pub(super) struct StreamBody<S> {
        #[pin]
        stream: S,
        ended: bool,
    }
}

impl<S> StreamBody<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            ended: false,
        }
    }
}

impl<S, D, E> HttpBody for StreamBody<S>
where
    S: Stream<Item = Result<D, E>>,
    D: Into<Bytes>,
    E: Into<BoxError>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        loop {
            match ready!(this.stream.as_mut().poll_next(cx)) {
                None => {
                    *this.ended = true;
                    return Poll::Ready(None);
                }
                Some(Err(error)) => {
                    *this.ended = true;
                    return Poll::Ready(Some(Err(user_error(error))));
                }
                Some(Ok(chunk)) => {
                    let chunk = chunk.into();
                    if !chunk.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(chunk))));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
