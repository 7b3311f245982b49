//! Which settings a transport is not built with.

use std::time::Duration;

use standpipe_core::{Error, ErrorKind, Phase};

use crate::config::{PhaseTimeouts, PoolLimits, TcpConfig};
use crate::key::DialConfig;

/// What was said about the connector, and about what it makes void.
pub(crate) struct Connector {
    pub(crate) own: bool,
    pub(crate) does_tls: bool,
    pub(crate) filter: bool,
    pub(crate) resolver: bool,
    pub(crate) retires: bool,
}

/// Who sets a filter relies on it, so settings that would be void are refused.
pub(crate) fn connector(connector: &Connector) -> Result<(), Error> {
    if !connector.own {
        return match connector.does_tls {
            true => Err(refused(
                "tls_by_connector is set without a connector".into(),
            )),
            false => Ok(()),
        };
    }
    for (set, field) in [
        (connector.filter, "address_filter"),
        (connector.resolver, "resolver"),
        (connector.retires, "retire_on_dns_change"),
    ] {
        if set {
            return Err(refused(format!(
                "{field} is set together with a connector, which resolves names by itself"
            )));
        }
    }
    Ok(())
}

pub(crate) fn proxies(config: &DialConfig) -> Result<(), Error> {
    if config.tls_by_connector && !config.proxies.is_empty() {
        return Err(refused(
            "tls_by_connector goes with no proxy: its connector makes the way up to TLS".into(),
        ));
    }
    config.proxies.check()
}

pub(crate) fn tcp(tcp: &TcpConfig) -> Result<(), Error> {
    for (field, value) in [
        ("keepalive", tcp.keepalive),
        ("keepalive_interval", tcp.keepalive_interval),
        ("user_timeout", tcp.user_timeout),
    ] {
        if value == Some(Duration::ZERO) {
            return Err(refused(format!(
                "{field} is 0s, but must be more than zero, or None"
            )));
        }
    }
    at_least_one("keepalive_retries", tcp.keepalive_retries.map(u64::from))?;
    if tcp.local_address.is_some() && tcp.local_addresses.is_some() {
        return Err(refused(
            "local_address and local_addresses are set, but only one of them may be".into(),
        ));
    }
    Ok(())
}

pub(crate) fn timeouts(timeouts: &PhaseTimeouts) -> Result<(), Error> {
    let Some(least) = timeouts.body_throughput else {
        return Ok(());
    };
    at_least_one(
        "body_throughput.bytes_per_second",
        Some(least.bytes_per_second),
    )?;
    if least.grace == Duration::ZERO {
        return Err(refused(
            "body_throughput.grace is 0s, but must be more than zero".into(),
        ));
    }
    Ok(())
}

pub(crate) fn limits(limits: &PoolLimits) -> Result<(), Error> {
    let per_host = limits.max_connections_per_host;
    at_least_one("max_connections_per_host", Some(per_host as u64))?;
    at_least_one(
        "max_connections",
        limits.max_connections.map(|max| max as u64),
    )?;
    at_least_one(
        "max_waiting_per_host",
        limits.max_waiting_per_host.map(|max| max as u64),
    )?;
    at_least_one(
        "max_requests_per_connection",
        limits.max_requests_per_connection,
    )?;
    if limits.idle_timeout == Some(Duration::ZERO) {
        let allowed = "more than zero, or None; max_idle_per_host 0 keeps none";
        return Err(refused(format!(
            "idle_timeout is 0s, but must be {allowed}"
        )));
    }
    if limits.max_idle_per_host > per_host {
        let idle = limits.max_idle_per_host;
        return Err(refused(format!(
            "max_idle_per_host is {idle}, but may be at most max_connections_per_host, which is {per_host}"
        )));
    }
    if limits.min_idle > limits.max_idle_per_host {
        let (min, max) = (limits.min_idle, limits.max_idle_per_host);
        return Err(refused(format!(
            "min_idle is {min}, but may be at most max_idle_per_host, which is {max}"
        )));
    }
    Ok(())
}

fn at_least_one(field: &str, value: Option<u64>) -> Result<(), Error> {
    match value {
        Some(0) => Err(refused(format!("{field} is 0, but must be at least 1"))),
        _ => Ok(()),
    }
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Config)
        .with_phase(Phase::Check)
        .with_message(message)
}
