//! A connector that counts how often its connections are asked to read or to write: an endless loop shows.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use standpipe_test::memory::{MemoryConnector, MemoryStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower::Service;

/// The count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Polls(Arc<AtomicUsize>);

impl Polls {
    /// `connector`, with its connections counted.
    pub(crate) fn count(&self, connector: MemoryConnector) -> CountingConnector {
        CountingConnector(connector, self.clone())
    }

    pub(crate) fn so_far(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Debug)]
pub(crate) struct CountingConnector(MemoryConnector, Polls);

impl Service<Uri> for CountingConnector {
    type Response = TokioIo<Counted>;
    type Error = io::Error;
    type Future = Dial;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Dial {
        Dial(self.0.call(uri), self.1.clone())
    }
}

pub(crate) struct Dial(<MemoryConnector as Service<Uri>>::Future, Polls);

impl Future for Dial {
    type Output = io::Result<TokioIo<Counted>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let dialled = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(dialled.map(|io| TokioIo::new(Counted(io.into_inner(), self.1.clone()))))
    }
}

pub(crate) struct Counted(MemoryStream, Polls);

impl Connection for Counted {
    fn connected(&self) -> Connected {
        self.0.connected()
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.1.add();
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.1.add();
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
