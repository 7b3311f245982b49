use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use standpipe_core::{Error, ErrorKind, Outcome, Phase, RequestSent};

use super::{BytesStream, LineSplitter, MAX_LINE};

/// The lines of a response body as they come, without their ends; made by
/// [`Response::lines`](crate::Response::lines).
///
/// A line ends in LF, CR or CRLF; the last one may have no end. The text is UTF-8 and nothing in it
/// is replaced: a byte order mark stays, and what is no UTF-8 is an error.
///
/// # Errors
///
/// [`LineTooLong`](ErrorKind::LineTooLong) beyond [`max_line_bytes`](Lines::max_line_bytes),
/// [`Decode`](ErrorKind::Decode) for a line that is not UTF-8, and what the body failed with. Nothing
/// comes after an error, and the connection is closed.
///
/// # Cancel safety
///
/// As [`BytesStream`].
#[derive(Debug)]
pub struct Lines {
    bytes: BytesStream,
    chunk: Bytes,
    splitter: LineSplitter,
}

impl Lines {
    pub(crate) fn new(bytes: BytesStream) -> Self {
        Self {
            bytes,
            chunk: Bytes::new(),
            splitter: LineSplitter::new(MAX_LINE),
        }
    }

    /// How long a line may be, in bytes without its end: 8 MiB unless set.
    #[must_use]
    pub fn max_line_bytes(mut self, max: usize) -> Self {
        self.splitter.set_max(max);
        self
    }

    /// The next line; none at the end.
    ///
    /// # Errors
    ///
    /// As the stream.
    ///
    /// # Cancel safety
    ///
    /// Nothing read is lost.
    pub async fn next(&mut self) -> Option<Result<String, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    fn fail(&mut self, error: Error) -> Error {
        self.bytes.end();
        self.chunk = Bytes::new();
        error
            .with_phase(Phase::Body)
            .with_request_sent(RequestSent::Yes)
            .with_url(self.bytes.url())
    }

    fn text(&mut self, line: Vec<u8>) -> Result<String, Error> {
        String::from_utf8(line).map_err(|error| {
            let error = Error::new(ErrorKind::Decode)
                .with_message("a line is not UTF-8")
                .with_source(error.utf8_error());
            self.fail(error)
        })
    }

    /// The next line that is there already.
    fn next_here(&mut self) -> Result<Option<String>, Error> {
        let (used, line) = match self.splitter.next(&self.chunk) {
            Ok((used, line)) => (used, line.map(<[u8]>::to_vec)),
            Err(_) => {
                let limit = self.splitter.max() as u64;
                return Err(self.fail(Error::new(ErrorKind::LineTooLong { limit })));
            }
        };
        self.chunk.advance(used);
        line.map(|line| self.text(line)).transpose()
    }
}

impl Stream for Lines {
    type Item = Result<String, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if !this.chunk.is_empty()
                && let Some(line) = this.next_here().transpose()
            {
                return Poll::Ready(Some(line));
            }
            match ready!(this.bytes.poll_chunk(cx)) {
                Some(Ok(chunk)) => this.chunk = chunk,
                Some(Err(error)) => {
                    // What was begun is not the whole line.
                    drop(this.splitter.rest());
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.bytes.tell(Outcome::Success);
                    let rest = this.splitter.rest();
                    return Poll::Ready(rest.map(|line| this.text(line)));
                }
            }
        }
    }
}
