use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Version;
use tokio::time::Instant;

/// What is known of the connection that carried a response; see
/// [`Body::connection_info`](crate::Body::connection_info).
///
/// # Clone
///
/// Cheap: the facts are shared by all responses of the connection.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    facts: Arc<ConnectionFacts>,
    uses_before: u64,
}

/// What does not change while a connection lives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionFacts {
    /// A number that no other connection of the process has.
    pub id: u64,
    /// The protocol spoken on it.
    pub version: Version,
    /// The address at the other end, where the connector tells.
    pub peer: Option<SocketAddr>,
    /// The address at this end, where the connector tells.
    pub local: Option<SocketAddr>,
    /// When it was ready for its first request.
    pub opened: Instant,
    /// How long resolving the name took; `None` where nothing was resolved, or by the connector as
    /// a part of its own time.
    pub dns_time: Option<Duration>,
    /// How long the connector took: TCP, and any proxy.
    pub connect_time: Duration,
    /// How long the TLS handshake took; `None` without TLS.
    pub tls_time: Option<Duration>,
}

impl ConnectionFacts {
    /// The facts that every connection has; the rest is filled in field by field.
    pub fn new(id: u64, version: Version, opened: Instant) -> Self {
        Self {
            id,
            version,
            peer: None,
            local: None,
            opened,
            dns_time: None,
            connect_time: Duration::ZERO,
            tls_time: None,
        }
    }
}

impl ConnectionInfo {
    /// The view of one response that `uses_before` requests came before.
    pub fn new(facts: Arc<ConnectionFacts>, uses_before: u64) -> Self {
        Self { facts, uses_before }
    }

    /// Whether an earlier request had used the connection.
    pub fn reused(&self) -> bool {
        self.uses_before > 0
    }

    /// How many requests were sent on the connection before this one.
    pub fn uses_before(&self) -> u64 {
        self.uses_before
    }

    /// How long ago the connection was opened.
    pub fn age(&self) -> Duration {
        self.facts.opened.elapsed()
    }
}

impl std::ops::Deref for ConnectionInfo {
    type Target = ConnectionFacts;

    fn deref(&self) -> &ConnectionFacts {
        &self.facts
    }
}
