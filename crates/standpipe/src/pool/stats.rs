use std::sync::Arc;

use standpipe_circuit_breaker::State;
use standpipe_core::Origin;
use standpipe_rate_limit::{Handle as LimitHandle, RateLimitStats};
use standpipe_transport::{ConnectionStats, TransportStats};

use crate::stack::HostParts;

/// What a pool holds at one moment and has done so far; see [`Pool::stats`](crate::Pool::stats).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PoolStats {
    /// The connections of all origins together.
    pub total: ConnectionStats,
    /// Each origin that the pool knows at the moment, in their order.
    pub origins: Vec<OriginStats>,
}

/// The figures of one origin.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OriginStats {
    /// The origin.
    pub origin: Origin,
    /// Its connections.
    pub connections: ConnectionStats,
    /// The state of its circuit; none where it has no breaker, or was not asked for anything in a
    /// long time.
    pub circuit: Option<State>,
    /// How its rate limiter stands; none where it has none, likewise.
    pub rate_limit: Option<RateLimitStats>,
    /// How its limit on requests under way stands; none where it has none, likewise.
    pub concurrency: Option<ConcurrencyStats>,
}

/// How a limit on requests under way stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConcurrencyStats {
    /// How many may be under way.
    pub limit: usize,
    /// How many are.
    pub in_flight: usize,
    /// How many wait.
    pub waiting: usize,
}

impl OriginStats {
    fn of_parts(origin: Origin, parts: &HostParts) -> Self {
        let concurrency = parts.concurrency().map(|handle| ConcurrencyStats {
            limit: handle.limit(),
            in_flight: handle.in_flight(),
            waiting: handle.waiting(),
        });
        Self {
            origin,
            connections: ConnectionStats::default(),
            circuit: parts.circuit.as_ref().map(|kept| kept.handle.state()),
            rate_limit: parts.limit.as_ref().map(LimitHandle::stats),
            concurrency,
        }
    }
}

impl PoolStats {
    pub(super) fn of(transport: TransportStats, hosts: Vec<(Origin, Arc<HostParts>)>) -> Self {
        let with_connections = transport.origins.into_iter().map(|known| OriginStats {
            origin: known.origin,
            connections: known.connections,
            circuit: None,
            rate_limit: None,
            concurrency: None,
        });
        let with_stacks = hosts
            .into_iter()
            .map(|(origin, parts)| OriginStats::of_parts(origin, &parts));
        let mut origins: Vec<_> = with_connections.chain(with_stacks).collect();
        origins.sort_by(|a, b| a.origin.cmp(&b.origin));
        origins.dedup_by(|later, kept| {
            let same = later.origin == kept.origin;
            if same {
                kept.connections += later.connections;
                kept.circuit = kept.circuit.or(later.circuit);
                kept.rate_limit = kept.rate_limit.take().or(later.rate_limit.take());
                kept.concurrency = kept.concurrency.or(later.concurrency);
            }
            same
        });
        Self {
            total: transport.total,
            origins,
        }
    }
}
