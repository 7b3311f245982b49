use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use standpipe_core::{Error, ErrorKind, Phase};

use crate::config::{Http1Config, Http2Config, PhaseTimeouts, PoolLimits, Protocol, TcpConfig};
use crate::connect::{self, BoxConnector, Connector};
use crate::events::{Events, PoolEvents};
use crate::key::DialConfig;
use crate::service::Transport;
use crate::tls::{Tls, TlsConfig};

/// Builds a [`Transport`].
///
/// Each setter sets the field of the same name; [`limits`](TransportBuilder::limits) and
/// [`timeouts`](TransportBuilder::timeouts) set all of a kind at once.
#[derive(Clone, Debug, Default)]
pub struct TransportBuilder {
    limits: PoolLimits,
    timeouts: PhaseTimeouts,
    tcp: TcpConfig,
    tls: TlsConfig,
    protocol: Protocol,
    http1: Http1Config,
    http2: Http2Config,
    connector: Option<BoxConnector>,
    tls_by_connector: bool,
    events: Events,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $ty:ty => $($field:ident).+;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: $ty) -> Self {
            self.$($field).+ = $name;
            self
        }
    )*};
}

impl TransportBuilder {
    setters! {
        /// All limits on connections.
        limits: PoolLimits => limits;
        /// All timeouts.
        timeouts: PhaseTimeouts => timeouts;
        /// How the default connector opens TCP connections.
        tcp: TcpConfig => tcp;
        /// Settings of TLS.
        tls: TlsConfig => tls;
        /// Which HTTP versions are spoken.
        protocol: Protocol => protocol;
        /// Settings of HTTP/1.1.
        http1: Http1Config => http1;
        /// Settings of HTTP/2.
        http2: Http2Config => http2;
        /// The connector gives finished IO: it does TLS itself and tells by hyper-util's
        /// `Connected::negotiated_h2` whether that is HTTP/2.
        tls_by_connector: bool => tls_by_connector;
        /// [`PoolLimits::max_connections_per_host`].
        max_connections_per_host: usize => limits.max_connections_per_host;
        /// [`PoolLimits::max_connections`].
        max_connections: Option<usize> => limits.max_connections;
        /// [`PoolLimits::max_idle_per_host`].
        max_idle_per_host: usize => limits.max_idle_per_host;
        /// [`PoolLimits::min_idle`].
        min_idle: usize => limits.min_idle;
        /// [`PoolLimits::max_idle`].
        max_idle: usize => limits.max_idle;
        /// [`PoolLimits::max_waiting_per_host`].
        max_waiting_per_host: Option<usize> => limits.max_waiting_per_host;
        /// [`PoolLimits::idle_timeout`].
        idle_timeout: Option<Duration> => limits.idle_timeout;
        /// [`PoolLimits::max_lifetime`].
        max_lifetime: Option<Duration> => limits.max_lifetime;
        /// [`PoolLimits::max_requests_per_connection`].
        max_requests_per_connection: Option<u64> => limits.max_requests_per_connection;
        /// [`PhaseTimeouts::acquire`].
        acquire_timeout: Option<Duration> => timeouts.acquire;
        /// [`PhaseTimeouts::connect`].
        connect_timeout: Option<Duration> => timeouts.connect;
        /// [`PhaseTimeouts::tls`].
        tls_timeout: Option<Duration> => timeouts.tls;
        /// [`PhaseTimeouts::response_head`].
        response_head_timeout: Option<Duration> => timeouts.response_head;
        /// [`PhaseTimeouts::body_idle`].
        body_idle_timeout: Option<Duration> => timeouts.body_idle;
        /// [`PhaseTimeouts::write_idle`].
        write_idle_timeout: Option<Duration> => timeouts.write_idle;
        /// [`TcpConfig::local_address`].
        local_address: Option<IpAddr> => tcp.local_address;
    }

    /// Opens connections by `connector` in place of the default one; [`TcpConfig`] is the
    /// default connector's and then of no effect.
    #[must_use]
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.connector = Some(connect::erase(connector));
        self
    }

    /// Tells `events` what happens in the pool.
    #[must_use]
    pub fn events(mut self, events: impl PoolEvents) -> Self {
        self.events = Events::new(events);
        self
    }

    /// Builds the transport. It opens no connection and needs no runtime.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config), naming the field, its value and what is allowed.
    pub fn build(self) -> Result<Transport, Error> {
        check_limits(&self.limits)?;
        Ok(self.build_unchecked())
    }

    pub(crate) fn build_unchecked(self) -> Transport {
        let connector = self.connector.unwrap_or_else(|| connect::tcp(&self.tcp));
        let config = DialConfig {
            connector,
            tls: Tls::new(self.tls, self.protocol),
            protocol: self.protocol,
            tls_by_connector: self.tls_by_connector,
            timeouts: self.timeouts,
            http1: self.http1,
            http2: self.http2,
        };
        Transport::new(&self.limits, Arc::new(config), self.events)
    }
}

pub(crate) fn check_limits(limits: &PoolLimits) -> Result<(), Error> {
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
