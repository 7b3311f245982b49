use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use standpipe_core::Body;
use tokio::task::{JoinHandle, spawn_blocking};

/// How much is read at once; one such piece is in memory.
const PIECE: usize = 128 * 1024;

/// A body of what `reader` gives, which may block: the thread that drives the connections is not held up
/// by it.
pub(super) fn reader_body(reader: impl Read + Send + 'static) -> Body {
    Body::from_stream(Reading {
        reader: Some(Box::new(reader)),
        piece: None,
    })
}

struct Reading<R> {
    /// Missing while it is read, and once it has ended.
    reader: Option<Box<R>>,
    piece: Option<JoinHandle<Piece<R>>>,
}

type Piece<R> = io::Result<(Box<R>, Bytes)>;

impl<R: Read + Send + 'static> Stream for Reading<R> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(piece) = &mut self.piece else {
                let Some(mut reader) = self.reader.take() else {
                    return Poll::Ready(None);
                };
                self.piece = Some(spawn_blocking(move || {
                    let bytes = read_piece(&mut *reader)?;
                    Ok((reader, bytes))
                }));
                continue;
            };
            let read = ready!(Pin::new(piece).poll(cx));
            self.piece = None;
            match read.unwrap_or_else(|gone| Err(io::Error::other(gone))) {
                Ok((_, end)) if end.is_empty() => return Poll::Ready(None),
                Ok((reader, bytes)) => {
                    self.reader = Some(reader);
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

fn read_piece(reader: &mut impl Read) -> io::Result<Bytes> {
    let mut piece = vec![0; PIECE];
    loop {
        match reader.read(&mut piece) {
            Ok(length) => {
                piece.truncate(length);
                return Ok(piece.into());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
