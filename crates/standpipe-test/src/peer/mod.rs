#[cfg(test)]
mod tests;

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::memory::MemoryStream;

/// The server's side of an HTTP/1.1 connection, played by hand.
///
/// It knows no protocol but where a head ends: what it writes may be as wrong as the test wishes.
/// Dropping it drops the stream.
#[derive(Debug)]
pub struct Peer<S> {
    stream: S,
    /// Read from the stream and not yet asked for.
    surplus: BytesMut,
}

impl<S> Peer<S> {
    /// A peer over the server's side of a connection.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            surplus: BytesMut::new(),
        }
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream below, without what was read ahead from it.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> Peer<S> {
    /// The next request's head as it was sent, with the blank line that ends it. What follows it is
    /// kept for the next read.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the client closed before the head was
    /// whole, [`InvalidData`](io::ErrorKind::InvalidData) when it is not UTF-8, and what the stream
    /// gives.
    ///
    /// # Cancel safety
    ///
    /// Nothing read is lost.
    pub async fn read_head(&mut self) -> io::Result<String> {
        self.read_through(b"\r\n\r\n").await
    }

    /// What comes up to the next such bytes, and these.
    pub(crate) async fn read_through(&mut self, end: &[u8]) -> io::Result<String> {
        loop {
            let found = self.surplus.windows(end.len()).position(|at| at == end);
            if let Some(at) = found {
                let text = self.surplus.split_to(at + end.len());
                return String::from_utf8(text.into())
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
            }
            self.read_more().await?;
        }
    }

    /// The next `n` bytes of a body.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the client closed before all had come,
    /// and what the stream gives.
    ///
    /// # Cancel safety
    ///
    /// Nothing read is lost.
    pub async fn read_exact_body(&mut self, n: usize) -> io::Result<Bytes> {
        while self.surplus.len() < n {
            self.read_more().await?;
        }
        Ok(self.surplus.split_to(n).freeze())
    }

    /// Waits until the client has closed or reset the connection. What it sent before is kept.
    ///
    /// # Cancel safety
    ///
    /// Nothing read is lost.
    pub async fn closed(&mut self) {
        while self.read_more().await.is_ok() {}
    }

    /// What was read and not yet asked for.
    pub fn surplus(&self) -> &[u8] {
        &self.surplus
    }

    /// Waits until there is something that was not asked for.
    #[cfg(feature = "server")]
    pub(crate) async fn begun(&mut self) -> io::Result<()> {
        while self.surplus.is_empty() {
            self.read_more().await?;
        }
        Ok(())
    }

    async fn read_more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.surplus).await? {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the client closed the connection",
            )),
            _ => Ok(()),
        }
    }
}

impl<S: AsyncWrite + Unpin> Peer<S> {
    /// Writes bytes as they are.
    ///
    /// # Errors
    ///
    /// What the stream gives.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// Writes a whole response with a `Content-Length`, after which the connection may be used
    /// again. `status` is the code with its reason, as `200 OK`.
    ///
    /// # Errors
    ///
    /// What the stream gives.
    pub async fn respond(&mut self, status: &str, body: impl AsRef<[u8]>) -> io::Result<()> {
        let body = body.as_ref();
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n");
        self.write([head.as_bytes(), body].concat()).await
    }

    /// Ends the connection in good order: the client reads what was written, then its end.
    ///
    /// # Errors
    ///
    /// What the stream gives.
    pub async fn close(mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }
}

impl Peer<MemoryStream> {
    /// Ends the connection by a reset, as [`MemoryStream::reset`].
    pub fn reset(self) {
        self.stream.reset();
    }
}
