use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use standpipe_core::{BoxError, Error, ErrorKind, Phase, RequestSent};
use tokio::io::{AsyncBufRead, ReadBuf};

use super::encoding::Encoding;
use super::limits::Limits;
use super::source::{Decoder, Source};

/// The most that one frame has.
const PIECE: usize = 16 * 1024;

/// A body being decoded. It holds one piece of the compressed body, one of the decoded and the
/// decoder's window, however long it is.
pub(super) struct Decoded<B> {
    decoder: Pin<Box<dyn Decoder<B> + Send>>,
    encoding: Encoding,
    limits: Limits,
    decoded: u64,
    state: State,
    out: Box<[u8]>,
    /// Frames that were read and put back.
    unread: VecDeque<Result<Frame<Bytes>, Error>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Decoding,
    /// The compressed data is at its end; the body should be.
    Ending,
    Ended,
}

impl<B> Decoded<B> {
    pub(super) fn new(encoding: Encoding, body: B, limits: Limits) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self {
            decoder: encoding.decoder(Source::new(body)),
            encoding,
            limits,
            decoded: 0,
            state: State::Decoding,
            out: vec![0; PIECE].into(),
            unread: VecDeque::new(),
        }
    }

    pub(super) fn inner(&self) -> &B {
        self.decoder.source().body()
    }

    pub(super) fn unread(&mut self, frames: VecDeque<Result<Frame<Bytes>, Error>>) {
        for frame in frames.into_iter().rev() {
            self.unread.push_front(frame);
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.unread.is_empty() && self.state == State::Ended
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let held = self.unread.iter().flatten().filter_map(Frame::data_ref);
        let held = held.map(|data| data.remaining() as u64).sum();
        let mut hint = SizeHint::new();
        hint.set_lower(held);
        if self.state == State::Ended {
            hint.set_upper(held);
        }
        hint
    }
}

impl<B> Decoded<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(frame) = self.unread.pop_front() {
            return Poll::Ready(Some(frame));
        }
        let frame = loop {
            match self.state {
                // Decoding => Ending, or Ended by an error
                State::Decoding => match ready!(self.poll_decode(cx)).transpose() {
                    Some(frame) => break Some(frame.map(Frame::data)),
                    None => self.state = State::Ending,
                },
                // Ending => Ended
                State::Ending => {
                    let trailing = ready!(self.poll_end(cx));
                    self.state = State::Ended;
                    break trailing.transpose();
                }
                State::Ended => break None,
            }
        };
        if let Some(Err(_)) = frame {
            self.state = State::Ended;
        }
        Poll::Ready(frame)
    }

    /// The next piece; none at the end of the compressed data.
    fn poll_decode(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let mut out = ReadBuf::new(&mut self.out);
        let read = ready!(self.decoder.as_mut().poll_read(cx, &mut out));
        let piece = out.filled();
        let received = self.decoder.source().received();
        if let Err(error) = read {
            let failed = self.decoder.as_mut().source_mut().take_error();
            return Poll::Ready(match failed {
                Some(error) => Err(error),
                // Some servers name an encoding where there is nothing to encode.
                None if received == 0 => Ok(None),
                None => Err(self.malformed(error)),
            });
        }
        if piece.is_empty() {
            return Poll::Ready(Ok(None));
        }
        self.decoded += piece.len() as u64;
        let within = self.limits.check(self.decoded, received);
        Poll::Ready(within.map(|()| Some(Bytes::copy_from_slice(piece))))
    }

    /// The trailers, where there are any.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Error>> {
        let mut source = self.decoder.as_mut().source_mut();
        let rest = match ready!(source.as_mut().poll_fill_buf(cx)) {
            Ok(rest) => rest.len(),
            Err(error) => {
                let failed = source.take_error();
                return Poll::Ready(Err(failed.unwrap_or_else(|| self.malformed(error))));
            }
        };
        if rest > 0 {
            let message = format!("more follows the end of the {} data", self.encoding.name());
            return Poll::Ready(Err(undecodable().with_message(message)));
        }
        let trailers = source.take_trailers();
        Poll::Ready(Ok(trailers.map(Frame::trailers)))
    }

    #[cold]
    fn malformed(&self, error: io::Error) -> Error {
        let name = self.encoding.name();
        let cut = match error.kind() {
            io::ErrorKind::UnexpectedEof => true,
            // zlib has no word for it.
            io::ErrorKind::Other => self.decoder.source().has_ended(),
            _ => false,
        };
        let error = undecodable().with_source(error);
        error.with_message(match cut {
            true => format!("the {name} data is cut short"),
            false => format!("it is no {name} data, or damaged"),
        })
    }
}

fn undecodable() -> Error {
    Error::new(ErrorKind::Decode)
        .with_phase(Phase::Body)
        .with_request_sent(RequestSent::Yes)
}

impl<B> fmt::Debug for Decoded<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoded")
            .field("encoding", &self.encoding)
            .field("decoded", &self.decoded)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
