//! The IO that hyper is given: it counts bytes, holds the connection's permit, wakes the driver of an
//! HTTP/2 connection after reads and bounds how long a write may stall.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use standpipe_core::Deadline;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_rustls::client::TlsStream;

use super::{ConnMeta, Fault};
use crate::pool::Slot;

/// What every connector's IO comes down to.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(crate) type BoxIo = Box<dyn Io>;

/// A connection's bytes, before or behind TLS.
pub(crate) enum Stream {
    Plain(BoxIo),
    Tls(Box<TlsStream<BoxIo>>),
}

/// The IO of a pooled connection. Its drop ends the connection's permit.
pub(crate) struct PooledIo {
    stream: Stream,
    meta: Arc<ConnMeta>,
    /// Bytes came in that the protocol has not been seen to be done with.
    unseen: bool,
    write_timeout: Option<Duration>,
    stalled: Option<Pin<Box<Sleep>>>,
    /// After the stream, so that the socket is closed before another may be opened for it.
    _end: End,
}

/// The end of the IO: the permit is given back, and a dial that waited for that is reported.
struct End {
    meta: Arc<ConnMeta>,
    slot: Option<Slot>,
}

impl PooledIo {
    pub(crate) fn new(
        stream: Stream,
        meta: Arc<ConnMeta>,
        slot: Slot,
        write_timeout: Option<Duration>,
    ) -> Self {
        Self {
            stream,
            _end: End {
                meta: Arc::clone(&meta),
                slot: Some(slot),
            },
            meta,
            unseen: false,
            write_timeout,
            stalled: None,
        }
    }

    fn refuse_if_closing(&self, cx: &Context<'_>) -> io::Result<()> {
        if !self.meta.shared && !self.meta.is_upgraded() {
            // An HTTP/1.1 connection is closed by its driver, which owns this until an upgrade.
            return Ok(());
        }
        self.meta.io().register(cx.waker());
        if self.meta.is_closing() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// The outcome of a write or a flush, under the clock that runs while the peer takes nothing.
    fn watch<T>(&mut self, done: Poll<T>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Some(timeout) = self.write_timeout else {
            return done.map(Ok);
        };
        if let Poll::Ready(value) = done {
            self.stalled = None;
            return Poll::Ready(Ok(value));
        }
        let clock = self.stalled.get_or_insert_with(|| {
            Box::pin(tokio::time::sleep_until(Deadline::after(timeout).instant()))
        });
        ready!(clock.as_mut().poll(cx));
        self.meta.set_fault(Fault::WriteTimeout);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

macro_rules! with_stream {
    ($self:expr, $io:ident => $body:expr) => {
        match &mut $self.stream {
            Stream::Plain($io) => $body,
            Stream::Tls($io) => $body,
        }
    };
}

impl AsyncRead for PooledIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.refuse_if_closing(cx)?;
        let before = buf.filled().len();
        let read = with_stream!(self, io => Pin::new(io).poll_read(cx, buf));
        match read {
            Poll::Ready(_) => {
                self.meta.count_read(buf.filled().len() - before);
                self.unseen = true;
            }
            Poll::Pending if self.unseen => {
                // All that was read before has been dealt with: a SETTINGS frame among it counts.
                self.unseen = false;
                if self.meta.shared {
                    self.meta.driver().wake();
                }
            }
            Poll::Pending => {}
        }
        read
    }
}

impl AsyncWrite for PooledIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = with_stream!(self, io => Pin::new(io).poll_write(cx, buf));
        let written = ready!(self.watch(written, cx))??;
        self.meta.count_written(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = with_stream!(self, io => Pin::new(io).poll_write_vectored(cx, bufs));
        let written = ready!(self.watch(written, cx))??;
        self.meta.count_written(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(io) => io.is_write_vectored(),
            Stream::Tls(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = with_stream!(self, io => Pin::new(io).poll_flush(cx));
        ready!(self.watch(flushed, cx))?.into()
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(mut slot) = self.slot.take() {
            slot.set_link(&self.meta);
            if self.meta.end_permit() {
                slot.set_evicted();
            }
        }
        self.meta.io_gone();
    }
}
