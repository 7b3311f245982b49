use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::io::Io;
use crate::memory::Listener;

/// Where a server's connections come from.
#[derive(Debug)]
pub(crate) enum Source {
    Tcp(TcpListener),
    Memory(Listener),
}

impl Source {
    /// A free port of the loopback address.
    ///
    /// # Panics
    ///
    /// When no port can be had, or outside a tokio runtime with IO enabled.
    pub(crate) async fn loopback() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        Self::Tcp(listener.expect("a free port of the loopback address"))
    }

    pub(super) async fn accept(&self) -> io::Result<Io> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Io::Tcp(stream))
            }
            Self::Memory(listener) => Ok(Io::Memory(listener.accept().await)),
        }
    }

    /// Refuses single dials, by their numbers, where that can be done.
    pub(super) fn refuse_by(&self, refuses: impl Fn(usize) -> bool + Send + Sync + 'static) {
        if let Self::Memory(listener) = self {
            listener.refuse_by(refuses);
        }
    }

    pub(crate) fn is_socket(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// The host and port under which clients reach it.
    pub(super) fn authority(&self) -> String {
        match self {
            Self::Tcp(_) => self.address().map(|a| a.to_string()).unwrap_or_default(),
            Self::Memory(listener) => listener.address().to_owned(),
        }
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Memory(_) => None,
        }
    }
}
