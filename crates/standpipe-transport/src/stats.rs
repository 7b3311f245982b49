use std::ops::AddAssign;
use std::time::Duration;

use standpipe_core::Origin;

use crate::pool::{ClosedCounts, Counts, OriginPool};

/// What a transport holds at one moment and has done so far; see
/// [`Transport::stats`](crate::Transport::stats).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TransportStats {
    /// The sum over all origins.
    pub total: ConnectionStats,
    /// Each origin that has a pool at the moment. An origin with several TLS identities is listed
    /// once for each.
    pub origins: Vec<OriginStats>,
}

/// The figures of one origin.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OriginStats {
    /// The origin.
    pub origin: Origin,
    /// Its figures.
    pub connections: ConnectionStats,
}

/// Connections and requests. Those of the moment, and what was created, closed, failed, refused and had to
/// wait, are taken under the origin's lock and so fit each other; `requests`, `reused`, `resent` and `wait_time`
/// are totals that run beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// Connections being opened.
    pub dialing: usize,
    /// Connections in use.
    pub active: usize,
    /// Connections not in use.
    pub idle: usize,
    /// Requests that wait for a connection.
    pub waiting: usize,
    /// HTTP/2 streams in use.
    pub streams: usize,
    /// Connections opened so far. At each moment that is those that are open, and those that were
    /// [`closed`](Self::closed).
    pub created: u64,
    /// Connections closed so far, by reason.
    pub closed: ClosedCounts,
    /// Dials that failed so far.
    pub dial_failures: u64,
    /// Requests sent so far, those sent again counted again.
    pub requests: u64,
    /// Requests that went out on a connection that had carried another before.
    pub reused: u64,
    /// Requests that had to wait for a connection.
    pub waited: u64,
    /// Requests refused because too many wait.
    pub queue_full: u64,
    /// The time that requests spent waiting for the connection they got.
    pub wait_time: Duration,
    /// Requests that went out again because their connection had closed before they were sent.
    pub resent: u64,
}

impl ConnectionStats {
    /// The share of requests that reused a connection, from 0 to 1.
    pub fn reuse_share(&self) -> f64 {
        if self.requests == 0 {
            return 0.0;
        }
        self.reused as f64 / self.requests as f64
    }
}

impl AddAssign for ConnectionStats {
    fn add_assign(&mut self, other: Self) {
        self.dialing += other.dialing;
        self.active += other.active;
        self.idle += other.idle;
        self.waiting += other.waiting;
        self.streams += other.streams;
        self.created += other.created;
        self.closed += other.closed;
        self.dial_failures += other.dial_failures;
        self.requests += other.requests;
        self.reused += other.reused;
        self.waited += other.waited;
        self.queue_full += other.queue_full;
        self.wait_time += other.wait_time;
        self.resent += other.resent;
    }
}

pub(crate) fn of_pool(pool: &OriginPool) -> OriginStats {
    let (counts, state) = pool.figures();
    let Counts {
        dialing,
        active,
        idle,
        waiting,
        streams,
    } = counts;
    let totals = pool.counters.read();
    OriginStats {
        origin: pool.key.origin().clone(),
        connections: ConnectionStats {
            dialing,
            active,
            idle,
            waiting,
            streams,
            created: state.created,
            closed: state.closed,
            dial_failures: state.dial_failures,
            requests: totals.requests,
            reused: totals.reused,
            waited: state.waited,
            queue_full: state.refused,
            wait_time: totals.wait_time,
            resent: totals.resent,
        },
    }
}
