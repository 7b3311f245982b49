//! What the servers share: where connections come from, their IO, their tasks and what is counted.

mod io;
mod source;
mod stats;
mod tasks;

use std::net::SocketAddr;

pub(crate) use io::{CountedIo, Wire};
pub(crate) use source::Source;
pub use stats::ServerStats;
pub(crate) use stats::{ConnectionCounts, RequestNumber};
pub(crate) use tasks::Spawner;

use stats::Counts;
use tasks::Tasks;

/// A server that accepts: dropped, all its tasks are aborted.
#[derive(Debug)]
pub(crate) struct Running {
    authority: String,
    address: Option<SocketAddr>,
    scheme: &'static str,
    counts: Counts,
    tasks: Tasks,
}

/// A connection that was accepted.
pub(crate) struct Accepted {
    /// Which dial of the server's it came by, from 0, those that were refused counted too.
    pub(crate) number: usize,
    pub(crate) io: CountedIo,
    pub(crate) counts: ConnectionCounts,
    pub(crate) spawner: Spawner,
}

impl Running {
    /// Serves each connection by `serve`. `refuses` says which dials come to nothing: in memory
    /// each for itself; a socket is closed for good before the first of them.
    pub(crate) fn start<F>(
        source: Source,
        tls: bool,
        refuses: impl Fn(usize) -> bool + Send + Sync + Clone + 'static,
        serve: impl Fn(Accepted) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let running = Self {
            authority: source.authority(),
            address: source.address(),
            scheme: if tls { "https" } else { "http" },
            counts: Counts::default(),
            tasks: Tasks::new(),
        };
        let (counts, spawner) = (running.counts.clone(), running.tasks.spawner());
        source.refuse_by(refuses.clone());
        running.tasks.spawner().spawn(async move {
            let mut number = 0;
            while !(source.is_socket() && refuses(number)) {
                // A connection that was gone before it was accepted is no reason to stop.
                let Ok(io) = source.accept().await else {
                    continue;
                };
                // What has come was not refused.
                while refuses(number) {
                    number += 1;
                }
                let (counts, open) = counts.accepted();
                let accepted = Accepted {
                    number,
                    io: CountedIo::new(io, open),
                    counts,
                    spawner: spawner.clone(),
                };
                number += 1;
                spawner.spawn(serve(accepted));
            }
        });
        running
    }

    #[track_caller]
    pub(crate) fn addr(&self) -> SocketAddr {
        self.address.expect("a server on a socket")
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.authority)
    }

    pub(crate) fn stats(&self) -> ServerStats {
        self.counts.snapshot()
    }

    pub(crate) async fn until(&self, wished: impl FnMut(&ServerStats) -> bool) -> ServerStats {
        self.counts.until(wished).await
    }

    pub(crate) async fn shutdown(self) {
        self.tasks.shutdown().await;
    }
}
