use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::TlsAcceptor;

use super::connection::{Connection, break_off};
use super::{ConnectionFault, End};
use crate::serving::CountedIo;

/// Does the handshake and serves what is spoken above it.
pub(super) async fn serve(connection: Connection, config: Arc<ServerConfig>, io: CountedIo) {
    match connection.fault() {
        Some(ConnectionFault::Handshake { after, end }) => {
            break_handshake(config, io, *after, *end).await;
            connection.counts.handshake_failed();
        }
        Some(ConnectionFault::PlainHttp) => {
            connection.counts.handshake_failed();
            plain(io).await;
        }
        Some(ConnectionFault::Certificate(other)) => {
            let other = other.clone();
            handshake(connection, other, io).await;
        }
        _ => handshake(connection, config, io).await,
    }
}

async fn handshake(connection: Connection, config: Arc<ServerConfig>, io: CountedIo) {
    match TlsAcceptor::from(config).accept(io).await {
        Ok(io) => {
            let h2_agreed = io.get_ref().1.alpn_protocol() == Some(b"h2");
            connection.serve_http(io, h2_agreed).await;
        }
        Err(_) => connection.counts.handshake_failed(),
    }
}

/// Lets the handshake come as far as `after` bytes of the server's.
async fn break_handshake(config: Arc<ServerConfig>, io: CountedIo, after: usize, end: End) {
    let mut io = Broken { io, left: after };
    let handshake = TlsAcceptor::from(config).accept(&mut io).await;
    // Whole or not, it goes no further than this.
    drop(handshake);
    break_off(io.io, end).await;
}

/// What a server of plain HTTP says to a client of TLS.
async fn plain(mut io: CountedIo) {
    const BAD_REQUEST: &[u8] =
        b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    // The client's first bytes, if not all: what is left unread would turn the close into a reset.
    let mut hello = [0; 4096];
    if io.read(&mut hello).await.is_ok_and(|n| n > 0) && io.write_all(BAD_REQUEST).await.is_ok() {
        break_off(io, End::Close).await;
    }
}

/// Fails to write more than so many bytes.
struct Broken {
    io: CountedIo,
    left: usize,
}

impl AsyncRead for Broken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Broken {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let n = buf.len().min(self.left);
        let written = Pin::new(&mut self.io).poll_write(cx, &buf[..n]);
        if let Poll::Ready(Ok(n)) = written {
            self.left -= n;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
