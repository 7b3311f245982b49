//! The metrics' snapshots, with what the transport knows of its connections.

use standpipe_core::Origin;
use standpipe_metrics::{ConnectionMetrics, HostMetrics, PoolMetrics, Registry};
use standpipe_transport::{ConnectionStats, Transport};

use crate::config::check::host_name;

pub(super) fn of_pool(registry: &Registry, transport: Option<&Transport>) -> PoolMetrics {
    let mut metrics = registry.metrics();
    if let Some(transport) = transport {
        fill(&mut metrics.figures.connections, &transport.stats().total);
    }
    metrics
}

pub(super) fn of_host(
    registry: &Registry,
    transport: Option<&Transport>,
    host: &str,
) -> Option<HostMetrics> {
    let mut metrics = registry.host_metrics(host)?;
    if let Some(transport) = transport {
        let meant = Meant::by(host);
        let stats = transport.stats_where(|origin| meant.is(origin));
        fill(&mut metrics.figures.connections, &stats.total);
    }
    Some(metrics)
}

/// The origins that a name or a URL means.
enum Meant {
    Origin(Option<Origin>),
    /// An IPv6 address may come with brackets or without.
    Names([Option<String>; 2]),
}

impl Meant {
    fn by(host: &str) -> Self {
        if host.contains("://") {
            return Self::Origin(Origin::parse(host).ok());
        }
        let names = [host, &format!("[{host}]")];
        Self::Names(names.map(|name| host_name(name).ok()))
    }

    fn is(&self, origin: &Origin) -> bool {
        match self {
            Self::Origin(meant) => meant.as_ref() == Some(origin),
            Self::Names(names) => {
                let mut names = names.iter().flatten();
                names.any(|name| name == origin.host())
            }
        }
    }
}

/// What is of the moment is the transport's to say, and all of it where nothing is measured.
fn fill(to: &mut ConnectionMetrics, from: &ConnectionStats) {
    to.active = from.active as u64;
    to.idle = from.idle as u64;
    to.opened = to.opened.max(from.created);
    to.dial_failures = to.dial_failures.max(from.dial_failures);
    let open = to.active + to.idle;
    to.closed = to.closed.max(to.opened.saturating_sub(open));
}
