use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use hyper_util::client::legacy::connect::{Connected, Connection};
use standpipe_core::sync::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::{RestoreOnPending, poll_proceed};

use super::network::OpenConnection;
use super::pipe::Pipe;

/// One side of a connection in memory.
///
/// Dropping it ends the connection as a closed socket does: the peer reads what was written and
/// then the end of the stream, and its writes fail with [`BrokenPipe`](io::ErrorKind::BrokenPipe).
/// A shutdown of the writing half alone leaves the other direction open.
#[derive(Debug)]
pub struct MemoryStream {
    pipes: Arc<Mutex<Pipes>>,
    side: Side,
    number: usize,
    address: Arc<str>,
    /// Held by the client's side alone.
    _open: Option<OpenConnection>,
}

#[derive(Debug)]
struct Pipes {
    to_server: Pipe,
    to_client: Pipe,
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Client,
    Server,
}

impl MemoryStream {
    /// Both sides of a connection, the client's first.
    pub(super) fn pair(address: &str, capacity: usize, open: OpenConnection) -> (Self, Self) {
        let pipes = Arc::new(Mutex::new(Pipes {
            to_server: Pipe::new(capacity),
            to_client: Pipe::new(capacity),
        }));
        let address: Arc<str> = address.into();
        let number = open.number();
        let side = |side, open| Self {
            pipes: pipes.clone(),
            side,
            number,
            address: address.clone(),
            _open: open,
        };
        (side(Side::Client, Some(open)), side(Side::Server, None))
    }

    /// Which connection of the network this is, counted from 1; both sides have the same number.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The address that was dialled, such as `example.com:80`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until the peer has read all that was written here, or the connection has ended.
    ///
    /// # Cancel safety
    ///
    /// It may be given up and asked again.
    pub async fn drained(&self) {
        let side = self.side;
        poll_fn(|cx| self.pipes.lock().outgoing(side).poll_drained(cx)).await;
    }

    /// Ends the connection by a reset: what was written and not yet read is lost, and the peer's
    /// next read and write fail with [`ConnectionReset`](io::ErrorKind::ConnectionReset).
    pub fn reset(self) {
        let wakers = {
            let mut pipes = self.pipes.lock();
            [pipes.to_server.reset(), pipes.to_client.reset()]
        };
        wakers.into_iter().flatten().flatten().for_each(Waker::wake);
    }
}

impl Pipes {
    fn incoming(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Client => &mut self.to_client,
            Side::Server => &mut self.to_server,
        }
    }

    fn outgoing(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Client => &mut self.to_server,
            Side::Server => &mut self.to_client,
        }
    }
}

impl AsyncRead for MemoryStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let turn = ready!(poll_proceed(cx));
        let (read, woken) = self.pipes.lock().incoming(self.side).poll_read(cx, buf);
        wake(woken);
        made_progress(&turn, read)
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let turn = ready!(poll_proceed(cx));
        let (written, woken) = self.pipes.lock().outgoing(self.side).poll_write(cx, buf);
        wake(woken);
        made_progress(&turn, written)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let woken = self.pipes.lock().outgoing(self.side).finish();
        wake(woken);
        Poll::Ready(Ok(()))
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        let woken = {
            let mut pipes = self.pipes.lock();
            [
                pipes.outgoing(self.side).finish(),
                pipes.incoming(self.side).abandon(),
            ]
        };
        woken.into_iter().for_each(wake);
    }
}

/// Tells hyper-util's clients nothing in particular: no proxy, no ALPN, no addresses.
impl Connection for MemoryStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// A task that reads without an end must yield now and then, as one that reads a socket of tokio's
/// does: else a peer on another thread that always has more keeps it in one poll for ever.
fn made_progress<T>(turn: &RestoreOnPending, done: Poll<T>) -> Poll<T> {
    if done.is_ready() {
        turn.made_progress();
    }
    done
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
