use std::sync::Arc;

use standpipe_core::sync::Mutex;

use crate::changes::Changes;

/// What a server has seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Connections accepted.
    pub connections: usize,
    /// Connections that are open now.
    pub open: usize,
    /// The most connections that were open at once.
    pub peak_open: usize,
    /// TLS handshakes that failed.
    pub failed_handshakes: usize,
    /// Requests whose head has come, on all connections.
    pub requests: usize,
    /// Requests by connection, in the order of their acceptance.
    pub requests_per_connection: Vec<usize>,
    /// Bytes received, on all connections; those of TLS as they came.
    pub bytes_in: u64,
    /// Bytes sent, on all connections; those of TLS as they went.
    pub bytes_out: u64,
}

/// The counts while they are counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stats: Mutex<ServerStats>,
    changes: Changes,
}

impl Counts {
    pub(super) fn snapshot(&self) -> ServerStats {
        self.shared.stats.lock().clone()
    }

    pub(super) async fn until(&self, mut wished: impl FnMut(&ServerStats) -> bool) -> ServerStats {
        let look = || Some(self.snapshot()).filter(&mut wished);
        self.shared.changes.until(look).await
    }

    /// Counts a connection, as open while the guard lives.
    pub(super) fn accepted(&self) -> (ConnectionCounts, OpenConnection) {
        let mut index = 0;
        self.change(|stats| {
            index = stats.connections;
            stats.connections += 1;
            stats.open += 1;
            stats.peak_open = stats.peak_open.max(stats.open);
            stats.requests_per_connection.push(0);
        });
        let counts = self.clone();
        let open = OpenConnection(self.clone());
        (ConnectionCounts { counts, index }, open)
    }

    fn change(&self, change: impl FnOnce(&mut ServerStats)) {
        change(&mut self.shared.stats.lock());
        self.shared.changes.announce();
    }
}

/// The counts of one connection.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionCounts {
    counts: Counts,
    index: usize,
}

impl ConnectionCounts {
    /// Counts a request, and says which it is.
    pub(crate) fn request(&self) -> RequestNumber {
        let mut number = RequestNumber::default();
        self.counts.change(|stats| {
            let on_connection = &mut stats.requests_per_connection[self.index];
            number.of_server = stats.requests;
            number.of_connection = *on_connection;
            stats.requests += 1;
            *on_connection += 1;
        });
        number
    }

    pub(crate) fn handshake_failed(&self) {
        self.counts.change(|stats| stats.failed_handshakes += 1);
    }
}

/// Which request it is, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestNumber {
    pub(crate) of_server: usize,
    pub(crate) of_connection: usize,
}

/// Lives in a connection's IO, which may outlive its task: an upgrade takes it along.
#[derive(Debug)]
pub(super) struct OpenConnection(Counts);

impl OpenConnection {
    pub(super) fn read(&self, bytes: usize) {
        self.0.change(|stats| stats.bytes_in += bytes as u64);
    }

    pub(super) fn written(&self, bytes: usize) {
        self.0.change(|stats| stats.bytes_out += bytes as u64);
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.change(|stats| stats.open -= 1);
    }
}
