use std::io;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

/// One direction of a connection: bytes on their way from a writer to a reader.
///
/// Wakers are handed out rather than woken, so that nobody is woken under the connection's lock.
#[derive(Debug)]
pub(super) struct Pipe {
    buffer: BytesMut,
    capacity: usize,
    end: End,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// More may come.
    Open,
    /// The writer has ended: what is buffered comes still, then the end.
    Finished,
    /// The connection was reset: nothing comes any more.
    Reset,
}

impl Pipe {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            capacity,
            end: End::Open,
            reader_gone: false,
            reader: None,
            writer: None,
        }
    }

    /// Reads what is there; the waker is the writer's, when room was made.
    pub(super) fn poll_read(
        &mut self,
        cx: &Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> (Poll<io::Result<()>>, Option<Waker>) {
        if self.end == End::Reset {
            return (Poll::Ready(Err(reset())), None);
        }
        if !self.buffer.is_empty() && into.remaining() > 0 {
            let n = self.buffer.len().min(into.remaining());
            into.put_slice(&self.buffer[..n]);
            self.buffer.advance(n);
            return (Poll::Ready(Ok(())), self.writer.take());
        }
        if self.end == End::Finished || into.remaining() == 0 {
            return (Poll::Ready(Ok(())), None);
        }
        self.reader = Some(cx.waker().clone());
        (Poll::Pending, None)
    }

    /// Writes what there is room for; the waker is the reader's.
    pub(super) fn poll_write(
        &mut self,
        cx: &Context<'_>,
        bytes: &[u8],
    ) -> (Poll<io::Result<usize>>, Option<Waker>) {
        if self.end == End::Reset {
            return (Poll::Ready(Err(reset())), None);
        }
        if self.end == End::Finished || self.reader_gone {
            return (Poll::Ready(Err(broken())), None);
        }
        let room = self.capacity - self.buffer.len();
        if room == 0 && !bytes.is_empty() {
            self.writer = Some(cx.waker().clone());
            return (Poll::Pending, None);
        }
        let n = room.min(bytes.len());
        self.buffer.extend_from_slice(&bytes[..n]);
        (Poll::Ready(Ok(n)), self.reader.take())
    }

    /// Ready when nothing written waits for the reader.
    pub(super) fn poll_drained(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.buffer.is_empty() || self.reader_gone {
            return Poll::Ready(());
        }
        self.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The writer ends; the waker is the reader's.
    pub(super) fn finish(&mut self) -> Option<Waker> {
        if self.end == End::Open {
            self.end = End::Finished;
        }
        self.reader.take()
    }

    /// The reader leaves; the waker is the writer's.
    pub(super) fn abandon(&mut self) -> Option<Waker> {
        self.reader_gone = true;
        self.buffer.clear();
        self.writer.take()
    }

    /// Both ends fail from now on; what was buffered is lost, as it is by TCP.
    pub(super) fn reset(&mut self) -> [Option<Waker>; 2] {
        self.end = End::Reset;
        self.buffer.clear();
        [self.reader.take(), self.writer.take()]
    }
}

fn reset() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the peer reset")
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the peer reads no more")
}
