//! Proxies in memory that do as they should, and keep what they were told.
//!
//! One that does not is played by hand with a [`Peer`](crate::Peer).

mod http;
mod socks;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use standpipe_core::sync::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::task::{AbortHandle, JoinSet};

pub use self::http::HttpProxy;
pub use self::socks::SocksProxy;

use crate::memory::{Listener, MemoryStream, Network};

/// What a proxy was told, in order.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, entry: impl Into<String>) {
        self.0.lock().push(entry.into());
    }

    fn entries(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

/// Ends the proxy's task, and with it its connections.
struct Running(AbortHandle);

impl Running {
    /// Serves each connection of `listener` by `serve`.
    fn start<F: Future<Output = std::io::Result<()>> + Send + 'static>(
        listener: Listener,
        serve: impl Fn(MemoryStream) -> F + Send + 'static,
    ) -> Self {
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let stream = listener.accept().await;
                // What goes wrong on a connection is for the client to see.
                connections.spawn(serve(stream));
            }
        });
        Self(task.abort_handle())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Running")
    }
}

/// Passes bytes both ways until both sides have ended.
async fn splice(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut target: MemoryStream,
) -> std::io::Result<()> {
    copy_bidirectional(&mut client, &mut target).await?;
    Ok(())
}

async fn dial(network: &Network, target: &str) -> std::io::Result<MemoryStream> {
    network.dial(target).await
}
