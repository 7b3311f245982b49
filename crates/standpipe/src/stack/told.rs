//! What the transport tells, told to the metrics.

use std::time::Duration;

use standpipe_core::{ConnectionFacts, Error, Origin};
use standpipe_metrics::Registry;
use standpipe_transport::{Closed, PoolEvents};

/// Counts connections in a registry.
#[derive(Debug)]
pub(super) struct ToldMetrics(pub(super) Registry);

impl PoolEvents for ToldMetrics {
    fn created(&self, origin: &Origin, connection: &ConnectionFacts) {
        self.0.connection_opened(origin, connection.id);
    }

    fn leased(&self, _: &Origin, connection: &ConnectionFacts) {
        self.0.connection_leased(connection.id);
    }

    fn returned(&self, _: &Origin, connection: &ConnectionFacts) {
        self.0.connection_returned(connection.id);
    }

    fn closed(&self, _: &Origin, closed: &Closed<'_>) {
        let reason = closed.reason.as_str();
        let id = closed.connection.id;
        self.0.connection_closed(id, reason, closed.age);
    }

    fn dial_failed(&self, origin: &Origin, error: &Error) {
        self.0.host(origin).dial_failed(error.kind());
    }

    fn waited(&self, origin: &Origin, wait: Duration) {
        // One that found a connection at once has not waited.
        if !wait.is_zero() {
            self.0.host(origin).acquire_waited(wait);
        }
    }
}
