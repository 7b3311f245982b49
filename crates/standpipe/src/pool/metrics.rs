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
    let mut all = ConnectionStats::default();
    let stats = transport.map(Transport::stats).unwrap_or_default();
    for known in stats.origins {
        if is_meant(host, &known.origin) {
            all += known.connections;
        }
    }
    fill(&mut metrics.figures.connections, &all);
    Some(metrics)
}

/// Whether `host`, a name or a URL, means `origin`.
fn is_meant(host: &str, origin: &Origin) -> bool {
    if host.contains("://") {
        return Origin::parse(host).is_ok_and(|meant| meant == *origin);
    }
    // An IPv6 address may come with brackets or without.
    let bracketed = format!("[{host}]");
    [host, &bracketed]
        .into_iter()
        .any(|name| host_name(name).is_ok_and(|name| name == origin.host()))
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
