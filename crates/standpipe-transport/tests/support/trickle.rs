//! A body that comes byte by byte.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use standpipe_core::{BoxError, Error};

/// Lets others run before each byte; after the last it ends, or fails where it is to break off.
#[derive(Debug)]
pub(crate) struct Trickle {
    left: Bytes,
    breaks: bool,
    turn: bool,
}

impl Trickle {
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Self {
        Self {
            left: bytes.into(),
            breaks: false,
            turn: false,
        }
    }

    /// As [`new`](Self::new), with an error in place of the end.
    #[allow(dead_code, reason = "not every test file uses it")]
    pub(crate) fn broken(bytes: impl Into<Bytes>) -> Self {
        Self {
            breaks: true,
            ..Self::new(bytes)
        }
    }
}

impl http_body::Body for Trickle {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.turn = !self.turn;
        if self.turn {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !self.left.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(self.left.split_to(1)))));
        }
        if std::mem::take(&mut self.breaks) {
            let broken: BoxError = "it breaks off".into();
            return Poll::Ready(Some(Err(Error::from_boxed(broken))));
        }
        Poll::Ready(None)
    }
}
