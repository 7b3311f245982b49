mod builder;
mod connection;
mod io;
mod listen;
mod stats;
mod tasks;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Notify;

pub use builder::ServerBuilder;
pub use stats::ServerStats;

use connection::Connection;
use io::CountedIo;
use listen::Source;
use stats::Counts;
use tasks::{Spawner, Tasks};

/// A real HTTP server, on loopback or on an in-memory [`Network`](crate::memory::Network).
///
/// It serves from the moment it is started. Dropping it aborts all its tasks, those of open
/// connections and streams with them.
#[derive(Debug)]
pub struct Server {
    authority: String,
    address: Option<SocketAddr>,
    scheme: &'static str,
    counts: Counts,
    tasks: Tasks,
    drained: Arc<Notify>,
}

impl Server {
    /// A server that answers every request with an empty 200, to be made into another.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    fn start(settings: ServerBuilder, source: Source) -> Self {
        let counts = Counts::default();
        let tasks = Tasks::new();
        let server = Self {
            authority: source.authority(),
            address: source.address(),
            scheme: if settings.tls.is_some() {
                "https"
            } else {
                "http"
            },
            counts: counts.clone(),
            tasks,
            drained: Arc::default(),
        };
        let spawner = server.tasks.spawner();
        let serving = Serving {
            settings: Arc::new(settings),
            counts,
            spawner: spawner.clone(),
            drained: Arc::clone(&server.drained),
        };
        spawner.spawn(serving.accept(source));
        server
    }

    /// The socket's address.
    ///
    /// # Panics
    ///
    /// When the server is on an in-memory network, which has no sockets.
    #[track_caller]
    pub fn addr(&self) -> SocketAddr {
        self.address.expect("a server on a socket")
    }

    /// The host and port under which it is reached, such as `127.0.0.1:8080`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The URL of a path, such as `/v1?beta`.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.authority)
    }

    /// What the server has seen so far.
    pub fn stats(&self) -> ServerStats {
        self.counts.snapshot()
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
        self.counts.until(wished).await
    }

    /// Ends the connections there are in good order: those that idle at once, the others with what is
    /// under way on them, by `Connection: close` or GOAWAY. New ones are accepted as before, as by the
    /// next process of a server that is restarted.
    pub fn drain(&self) {
        self.drained.notify_waiters();
    }

    /// Stops at once, whatever is under way, and waits until all its tasks are gone.
    pub async fn shutdown(self) {
        self.tasks.shutdown().await;
    }
}

/// What the connections of a server have in common.
struct Serving {
    settings: Arc<ServerBuilder>,
    counts: Counts,
    spawner: Spawner,
    drained: Arc<Notify>,
}

impl Serving {
    async fn accept(self, source: Source) {
        loop {
            // A connection that was gone before it was accepted is no reason to stop.
            let Ok(io) = source.accept().await else {
                continue;
            };
            let (counts, open) = self.counts.accepted();
            let connection = Connection {
                settings: Arc::clone(&self.settings),
                counts,
                spawner: self.spawner.clone(),
                last_request: Arc::new(Notify::new()),
                drained: Arc::clone(&self.drained),
            };
            let io = Box::new(CountedIo::new(io, open));
            self.spawner.spawn(connection.serve(io));
        }
    }
}
