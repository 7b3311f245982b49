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

use super::frames::Frames;
use super::{ConnMeta, Fault};
use crate::events::CloseReason;
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
    frames: Frames,
    /// Of what goes out.
    sent: Frames,
    /// SETTINGS came in that hyper has not been seen to be done with.
    unseen: bool,
    write_timeout: Option<Duration>,
    stalled: Option<Pin<Box<Sleep>>>,
    /// After the stream, so that the socket is closed before another may be opened for it.
    end: End,
}

/// The end of the IO: the permit is given back, and a dial that waited for that is reported.
struct End {
    meta: Arc<ConnMeta>,
    slot: Option<Slot>,
}

macro_rules! with_stream {
    ($self:expr, $io:ident => $body:expr) => {
        match &mut $self.stream {
            Stream::Plain($io) => $body,
            Stream::Tls($io) => $body,
        }
    };
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
            end: End {
                meta: Arc::clone(&meta),
                slot: Some(slot),
            },
            meta,
            frames: Frames::default(),
            sent: Frames::of_client(),
            unseen: false,
            write_timeout,
            stalled: None,
        }
    }

    /// An HTTP/1.1 connection is closed by its driver, which owns this until an upgrade.
    fn refuse_if_closing(&self, cx: &Context<'_>) -> io::Result<()> {
        self.meta.io().register(cx.waker());
        if self.meta.is_closing() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// hyper may tell such an error to a request alone, and end as if all were well.
    #[inline]
    fn note_if_failed<T>(&self, done: &io::Result<T>) {
        if done.is_err() {
            self.meta.end.note(CloseReason::Error);
        }
    }

    fn poll_read_shared(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.refuse_if_closing(cx)?;
        let before = buf.filled().len();
        let read = with_stream!(self, io => Pin::new(io).poll_read(cx, buf));
        match read {
            Poll::Ready(Err(_)) => self.note_error(),
            Poll::Ready(Ok(())) => {
                let new = &buf.filled()[before..];
                self.meta.traffic.count_read(new.len());
                let seen = self.frames.feed(new);
                self.unseen |= seen.settings;
                if let Some(last) = seen.last {
                    self.meta.goaway.set_last_stream(last);
                }
                if seen.calm {
                    // Before any other thread finds that it has to dial.
                    self.end.ask_for_calm();
                }
                if seen.goaway {
                    // No new stream, whatever becomes of those under way.
                    self.meta.set_going_away();
                }
                if seen.goaway || self.meta.traffic.is_suspect() {
                    self.meta.driver().wake();
                }
            }
            Poll::Pending if self.unseen => {
                // hyper has dealt with all that was read before.
                self.unseen = false;
                self.meta.set_limit_known();
                self.meta.driver().wake();
            }
            Poll::Pending => {}
        }
        read
    }

    /// As [`refuse_if_closing`](Self::refuse_if_closing), for the writes of an upgraded connection, which
    /// may be another task's than its reads. Its driver has ended and leaves its waker free.
    #[cold]
    fn refuse_write_if_closing(&self, cx: &Context<'_>) -> io::Result<()> {
        self.meta.driver().register(cx.waker());
        if self.meta.is_closing() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    #[cold]
    fn note_error(&self) {
        self.meta.end.note(CloseReason::Error);
    }

    #[cold]
    fn give_up_head(&self) -> io::Error {
        self.note_error();
        self.meta.fault.set(Fault::EndlessHead);
        io::ErrorKind::InvalidData.into()
    }

    /// Notes what streams were opened by `bytes`, which went out.
    fn note_sent(&mut self, bytes: &[u8]) {
        let stream = self.sent.feed(bytes).stream;
        if stream > 0 {
            self.meta.goaway.set_opened_stream(stream);
        }
    }

    /// The outcome of a write or a flush, under the clock that runs while the peer takes nothing.
    #[inline]
    fn watch<T>(&mut self, done: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        match self.write_timeout {
            Some(timeout) => self.watch_for(timeout, done, cx),
            None => done,
        }
    }

    fn watch_for<T>(
        &mut self,
        timeout: Duration,
        done: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.stalled = None;
            return done;
        }
        let clock = self.stalled.get_or_insert_with(|| {
            Box::pin(tokio::time::sleep_until(Deadline::after(timeout).instant()))
        });
        ready!(clock.as_mut().poll(cx));
        self.note_error();
        self.meta.fault.set(Fault::WriteTimeout);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for PooledIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.meta.shared {
            return self.poll_read_shared(cx, buf);
        }
        if self.meta.is_upgraded() {
            self.refuse_if_closing(cx)?;
        }
        let before = buf.filled().len();
        let read = with_stream!(self, io => Pin::new(io).poll_read(cx, buf));
        match read {
            Poll::Ready(Ok(())) => {
                let read = self.meta.traffic.count_read(buf.filled().len() - before);
                if self.meta.traffic.is_over_head_limit(read) {
                    return Poll::Ready(Err(self.give_up_head()));
                }
            }
            Poll::Ready(Err(_)) => self.note_error(),
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
        if self.meta.is_upgraded() {
            self.refuse_write_if_closing(cx)?;
        }
        let written = with_stream!(self, io => Pin::new(io).poll_write(cx, buf));
        let written = ready!(self.watch(written, cx));
        self.note_if_failed(&written);
        let written = written?;
        if self.meta.shared {
            self.note_sent(&buf[..written]);
        }
        self.meta.traffic.count_written(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.meta.is_upgraded() {
            self.refuse_write_if_closing(cx)?;
        }
        let written = with_stream!(self, io => Pin::new(io).poll_write_vectored(cx, bufs));
        let written = ready!(self.watch(written, cx));
        self.note_if_failed(&written);
        let written = written?;
        if self.meta.shared {
            let mut left = written;
            for buf in bufs {
                let taken = left.min(buf.len());
                self.note_sent(&buf[..taken]);
                left -= taken;
            }
        }
        self.meta.traffic.count_written(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(io) => io.is_write_vectored(),
            Stream::Tls(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.write_timeout.is_none() {
            return with_stream!(self, io => Pin::new(io).poll_flush(cx));
        }
        let flushed = with_stream!(self, io => Pin::new(io).poll_flush(cx));
        self.watch(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}

impl End {
    #[cold]
    fn ask_for_calm(&self) {
        if let Some(slot) = &self.slot {
            slot.ask_for_calm();
        }
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
