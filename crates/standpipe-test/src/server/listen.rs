use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::io::Io;
use crate::memory::Listener;

/// Where a server's connections come from.
#[derive(Debug)]
pub(super) enum Source {
    Tcp(TcpListener),
    Memory(Listener),
}

impl Source {
    pub(super) async fn accept(&self) -> io::Result<Box<dyn Io>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Memory(listener) => Ok(Box::new(listener.accept().await)),
        }
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
