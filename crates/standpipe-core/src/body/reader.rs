use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, ReadBuf};

use super::user_error;
use crate::Error;

/// How much is read at once, at the most.
const PIECE: usize = 64 * 1024;

/// With less room than this a new buffer is begun.
const LEAST: usize = 8 * 1024;

pin_project! {
    /// What a reader gives, as a body: in pieces, each read when it is asked for.
    pub(super) struct ReaderBody<R> {
        #[pin]
        reader: R,
        // Room for what is read, all of it set to zero once and then handed out piece by piece.
        room: BytesMut,
        ended: bool,
    }
}

impl<R> ReaderBody<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            room: BytesMut::new(),
            ended: false,
        }
    }
}

impl<R: AsyncRead> HttpBody for ReaderBody<R> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        if this.room.len() < LEAST {
            *this.room = BytesMut::zeroed(PIECE);
        }
        let mut buffer = ReadBuf::new(this.room);
        let read = ready!(this.reader.poll_read(cx, &mut buffer));
        let length = buffer.filled().len();
        if let Err(error) = read {
            *this.ended = true;
            return Poll::Ready(Some(Err(user_error(error))));
        }
        if length == 0 {
            *this.ended = true;
            *this.room = BytesMut::new();
            return Poll::Ready(None);
        }
        let piece = this.room.split_to(length).freeze();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
