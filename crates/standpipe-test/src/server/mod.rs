mod builder;
mod connection;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Notify;

pub(crate) use builder::Protocol;
pub use builder::ServerBuilder;

use crate::serving::{Accepted, Running, ServerStats, Source};
use connection::Connection;

/// A real HTTP server, on loopback or on an in-memory [`Network`](crate::memory::Network).
///
/// It serves from the moment it is started. Dropping it aborts all its tasks, those of open
/// connections and streams with them.
#[derive(Debug)]
pub struct Server {
    running: Running,
    drained: Arc<Notify>,
}

impl Server {
    /// A server that answers every request with an empty 200, to be made into another.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    fn start(settings: ServerBuilder, source: Source) -> Self {
        let tls = settings.tls.is_some();
        let settings = Arc::new(settings);
        let drained = Arc::new(Notify::new());
        let told = Arc::clone(&drained);
        let serve = move |accepted: Accepted| {
            let connection = Connection {
                settings: settings.clone(),
                counts: accepted.counts,
                spawner: accepted.spawner,
                last_request: Arc::new(Notify::new()),
                drained: Arc::clone(&told),
            };
            connection.serve(accepted.io)
        };
        Self {
            running: Running::start(source, tls, |_| false, serve),
            drained,
        }
    }

    /// The socket's address.
    ///
    /// # Panics
    ///
    /// When the server is on an in-memory network, which has no sockets.
    #[track_caller]
    pub fn addr(&self) -> SocketAddr {
        self.running.addr()
    }

    /// The host and port under which it is reached, such as `127.0.0.1:8080`.
    pub fn authority(&self) -> &str {
        self.running.authority()
    }

    /// The URL of a path, such as `/v1?beta`.
    pub fn url(&self, path: &str) -> String {
        self.running.url(path)
    }

    /// What the server has seen so far.
    pub fn stats(&self) -> ServerStats {
        self.running.stats()
    }

    /// Waits until what the server has seen is as wished, and gives it.
    ///
    /// ```
    /// # use standpipe_test::Server;
    /// # async fn doc(server: Server) {
    /// // The client has given its connections back to the system.
    /// server.until(|stats| stats.open == 0).await;
    /// # }
    /// ```
    pub async fn until(&self, wished: impl FnMut(&ServerStats) -> bool) -> ServerStats {
        self.running.until(wished).await
    }

    /// Ends the connections there are in good order: those that idle at once, the others with what is
    /// under way on them, by `Connection: close` or GOAWAY. New ones are accepted as before, as by the
    /// next process of a server that is restarted.
    pub fn drain(&self) {
        self.drained.notify_waiters();
    }

    /// Stops at once, whatever is under way, and waits until all its tasks are gone.
    pub async fn shutdown(self) {
        self.running.shutdown().await;
    }
}
