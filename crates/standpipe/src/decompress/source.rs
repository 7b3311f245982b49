use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::Body;
use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Error};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

/// What decodes a source, whatever the encoding.
pub(super) trait Decoder<B>: AsyncRead {
    fn source(&self) -> &Source<B>;

    fn source_mut(self: Pin<&mut Self>) -> Pin<&mut Source<B>>;
}

pin_project! {
    /// A compressed body, as a decoder reads it.
    #[derive(Debug)]
    pub(super) struct Source<B> {
        #[pin]
        body: B,
        // What the decoder has not taken yet.
        piece: Bytes,
        received: u64,
        trailers: Option<HeaderMap>,
        // The body's own error, which the decoder has no place for.
        error: Option<Error>,
        ended: bool,
    }
}

impl<B> Source<B> {
    pub(super) fn new(body: B) -> Self {
        Self {
            body,
            piece: Bytes::new(),
            received: 0,
            trailers: None,
            error: None,
            ended: false,
        }
    }

    pub(super) fn body(&self) -> &B {
        &self.body
    }

    /// How many bytes the body has given.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Whether there is nothing left to read.
    pub(super) fn has_ended(&self) -> bool {
        self.ended && self.piece.is_empty()
    }

    pub(super) fn take_error(self: Pin<&mut Self>) -> Option<Error> {
        self.project().error.take()
    }

    pub(super) fn take_trailers(self: Pin<&mut Self>) -> Option<HeaderMap> {
        self.project().trailers.take()
    }
}

impl<B> AsyncBufRead for Source<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let mut this = self.project();
        while this.piece.is_empty() && !*this.ended {
            let frame = match ready!(this.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    *this.ended = true;
                    *this.error = Some(Error::from_boxed(error.into()));
                    return Poll::Ready(Err(io::Error::other("the body failed")));
                }
                None => {
                    *this.ended = true;
                    break;
                }
            };
            match frame.into_data() {
                Ok(piece) => {
                    *this.received += piece.len() as u64;
                    *this.piece = piece;
                }
                Err(frame) => {
                    *this.ended = true;
                    *this.trailers = frame.into_trailers().ok();
                }
            }
        }
        Poll::Ready(Ok(this.piece))
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        self.project().piece.advance(count);
    }
}

/// Decoders read through the buffer; this is for the trait that has it as a part.
impl<B> AsyncRead for Source<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = ready!(self.as_mut().poll_fill_buf(cx))?;
        let count = piece.len().min(out.remaining());
        out.put_slice(&piece[..count]);
        self.consume(count);
        Poll::Ready(Ok(()))
    }
}
