use std::time::Duration;

use standpipe_core::{ConnectionFacts, Error, Origin};
use standpipe_metrics::Registry;
use standpipe_transport::{Closed, PoolEvents};

/// Tells a pool's metrics what becomes of its transport's connections.
#[derive(Debug)]
pub struct ConnectionEvents {
    registry: Registry,
    /// Where nobody is told which connections are in use, requests need not pay for it: how many are
    /// at the moment is the transport's to say.
    follows_uses: bool,
}

impl ConnectionEvents {
    pub(crate) fn new(registry: Registry, follows_uses: bool) -> Self {
        Self {
            registry,
            follows_uses,
        }
    }
}

impl PoolEvents for ConnectionEvents {
    fn follows_uses(&self) -> bool {
        self.follows_uses
    }

    fn created(&self, origin: &Origin, connection: &ConnectionFacts) {
        self.registry.connection_opened(origin, connection.id);
    }

    fn leased(&self, _: &Origin, connection: &ConnectionFacts) {
        self.registry.connection_leased(connection.id);
    }

    fn returned(&self, _: &Origin, connection: &ConnectionFacts) {
        self.registry.connection_returned(connection.id);
    }

    fn closed(&self, _: &Origin, closed: &Closed<'_>) {
        let (id, reason) = (closed.connection.id, closed.reason.as_str());
        self.registry.connection_closed(id, reason, closed.age);
    }

    fn dial_failed(&self, origin: &Origin, error: &Error) {
        self.registry.host(origin).dial_failed(error.kind());
    }

    fn waited(&self, origin: &Origin, wait: Duration) {
        // One that found a connection at once has not waited.
        if !wait.is_zero() {
            self.registry.host(origin).acquire_waited(wait);
        }
    }
}
