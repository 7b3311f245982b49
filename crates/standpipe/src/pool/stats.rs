use standpipe_circuit_breaker::State;
use standpipe_core::Origin;
use standpipe_transport::{ConnectionStats, TransportStats};

use crate::stack::{Hosts, circuit_of};

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
}

impl PoolStats {
    pub(super) fn of(transport: TransportStats, hosts: &Hosts) -> Self {
        let with_connections = transport.origins.into_iter().map(|known| OriginStats {
            origin: known.origin,
            connections: known.connections,
            circuit: None,
        });
        let with_stacks = hosts.hosts().into_iter().map(|(origin, host)| OriginStats {
            origin,
            connections: ConnectionStats::default(),
            circuit: circuit_of(&host).map(|circuit| circuit.state()),
        });
        let mut origins: Vec<_> = with_connections.chain(with_stacks).collect();
        origins.sort_by(|a, b| a.origin.cmp(&b.origin));
        origins.dedup_by(|later, kept| {
            let same = later.origin == kept.origin;
            if same {
                kept.connections += later.connections;
                kept.circuit = kept.circuit.or(later.circuit);
            }
            same
        });
        Self {
            total: transport.total,
            origins,
        }
    }
}
