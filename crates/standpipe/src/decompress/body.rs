use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Error, Unread};

use super::decode::Decoded;
use super::encoding::Encoding;
use super::limits::Limits;

pin_project! {
    /// The response body under a [`Decompress`](super::Decompress): decoded, or as it came.
    ///
    /// Each piece of the compressed body is decoded as it arrives, so that a stream of events comes
    /// through at once. Besides a piece of either side, of 16 KiB where it is decoded, it holds the
    /// decoder's window: 32 KiB of gzip and deflate, up to 16 MiB of brotli, up to 8 MiB of Zstandard;
    /// what asks for a larger one is refused.
    ///
    /// # Errors
    ///
    /// Frames give a [`standpipe_core::Error`], the inner body's as [`Error::from_boxed`] makes it. Its
    /// own are of the kind [`BodyTooLarge`](standpipe_core::ErrorKind::BodyTooLarge) beyond a limit,
    /// before the piece that passes it is given; and [`Decode`](standpipe_core::ErrorKind::Decode) where
    /// the data is malformed, cut short, or followed by more. No frame comes after an error.
    #[derive(Debug)]
    pub struct DecompressBody<B> {
        #[pin]
        way: Way<B>,
    }
}

pin_project! {
    #[project = WayProj]
    #[derive(Debug)]
    enum Way<B> {
        Plain { #[pin] body: B },
        Decoded { body: Box<Decoded<B>> },
    }
}

impl<B> DecompressBody<B> {
    #[inline]
    pub(super) fn plain(body: B) -> Self {
        Self {
            way: Way::Plain { body },
        }
    }

    pub(super) fn decoded(encoding: Encoding, body: B, limits: Limits) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let body = Box::new(Decoded::new(encoding, body, limits));
        Self {
            way: Way::Decoded { body },
        }
    }

    /// Whether it is decoded, so that its bytes are not the inner body's.
    pub fn is_decoded(&self) -> bool {
        matches!(self.way, Way::Decoded { .. })
    }

    /// The inner body, compressed where it [is decoded](Self::is_decoded) here.
    pub fn get_ref(&self) -> &B {
        match &self.way {
            Way::Plain { body } => body,
            Way::Decoded { body } => body.inner(),
        }
    }

    /// Gives the inner body back, unless it [is decoded](Self::is_decoded) here.
    ///
    /// # Errors
    ///
    /// The body itself, where it is.
    pub fn into_plain(self) -> Result<B, Self> {
        match self.way {
            Way::Plain { body } => Ok(body),
            way @ Way::Decoded { .. } => Err(Self { way }),
        }
    }
}

impl<B> Body for DecompressBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.project().way.project() {
            WayProj::Plain { body } => body.poll_frame(cx).map(|frame| {
                frame.map(|frame| frame.map_err(|error| Error::from_boxed(error.into())))
            }),
            WayProj::Decoded { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.way {
            Way::Plain { body } => body.is_end_stream(),
            Way::Decoded { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.way {
            Way::Plain { body } => body.size_hint(),
            Way::Decoded { body } => body.size_hint(),
        }
    }
}

/// For a retry that looks into an answer: what it reads is decoded, and is put back so.
impl<B> Unread for DecompressBody<B>
where
    B: Unread<Data = Bytes, Error = Error>,
{
    fn unread(self, frames: VecDeque<Result<Frame<Bytes>, Error>>) -> Self {
        let way = match self.way {
            Way::Plain { body } => Way::Plain {
                body: body.unread(frames),
            },
            Way::Decoded { mut body } => {
                body.unread(frames);
                Way::Decoded { body }
            }
        };
        Self { way }
    }
}
