use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use standpipe_core::Error;
use standpipe_router::HostRouter;
use standpipe_timeout::{RequestTimeout, TimeoutLayer};
use standpipe_transport::{
    Connector, PhaseTimeouts, PoolLimits, Protocol, TlsConfig, Transport, TransportBuilder,
};
use tower_layer::Layer;

use crate::config::check;
use crate::stack::{HostSettings, HostStack, Stack};
use crate::{HostConfig, Pool, PoolConfig};

/// Builds a [`Pool`].
///
/// Each setter sets the field of [`PoolConfig`] of the same name;
/// [`config`](PoolBuilder::config) sets all at once.
///
/// ```
/// use standpipe::{ErrorKind, Pool};
/// use std::time::Duration;
///
/// let pool = Pool::builder()
///     .max_connections_per_host(16)
///     .acquire_timeout(Some(Duration::from_secs(5)))
///     .build()
///     .unwrap();
/// # drop(pool);
///
/// let refused = Pool::builder().retry_jitter(1.5).build().unwrap_err();
/// assert_eq!(refused.kind(), ErrorKind::Config);
/// assert!(refused.to_string().contains("retry_jitter is 1.5, but must be from 0 to 1"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct PoolBuilder {
    config: PoolConfig,
    hosts: Vec<(String, HostConfig)>,
    tls: TlsConfig,
    /// Carries the connector; its limits and timeouts are set from the config when built.
    transport: TransportBuilder,
}

macro_rules! setters {
    ($($name:ident: $ty:ty),* $(,)?) => {$(
        #[doc = concat!("Sets [`PoolConfig::", stringify!($name), "`].")]
        #[must_use]
        pub fn $name(mut self, $name: $ty) -> Self {
            self.config.$name = $name;
            self
        }
    )*};
}

impl PoolBuilder {
    setters! {
        max_connections_per_host: usize,
        max_connections: Option<usize>,
        max_idle_per_host: usize,
        max_idle: usize,
        max_waiting_per_host: Option<usize>,
        idle_timeout: Option<Duration>,
        max_connection_lifetime: Option<Duration>,
        acquire_timeout: Option<Duration>,
        dial_timeout: Option<Duration>,
        tls_handshake_timeout: Option<Duration>,
        response_header_timeout: Option<Duration>,
        body_idle_timeout: Option<Duration>,
        write_idle_timeout: Option<Duration>,
        attempt_timeout: Option<Duration>,
        request_timeout: Option<Duration>,
        max_retries: u32,
        initial_retry_delay: Duration,
        max_retry_delay: Duration,
        retry_multiplier: f64,
        retry_jitter: f64,
        max_redirects: Option<u32>,
        metrics: bool,
        max_hosts: usize,
        host_idle_timeout: Option<Duration>,
        max_response_bytes: u64,
        protocol: Protocol,
    }

    /// Sets [`PoolConfig::user_agent`].
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.config.user_agent = Some(user_agent.into());
        self
    }

    /// Sets all of the config.
    #[must_use]
    pub fn config(mut self, config: PoolConfig) -> Self {
        self.config = config;
        self
    }

    /// Settings for one host, whatever the scheme and port: `"api.example.com"`. A second call for
    /// the same host replaces the first.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>, config: HostConfig) -> Self {
        self.hosts.push((host.into(), config));
        self
    }

    /// Settings of TLS, one by one.
    #[must_use]
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.tls = tls;
        self
    }

    /// A finished configuration of rustls, for those who have one; see
    /// [`TlsConfig::from_rustls`].
    #[must_use]
    pub fn tls_config(self, config: Arc<ClientConfig>) -> Self {
        self.tls(TlsConfig::from_rustls(config))
    }

    /// Opens connections by `connector` in place of the default one; see
    /// [`Connector`].
    #[must_use]
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.transport = self.transport.connector(connector);
        self
    }

    /// Builds the pool. It opens no connection and needs no runtime; TLS roots are loaded at the
    /// first https dial.
    ///
    /// # Errors
    ///
    /// [`Config`](standpipe_core::ErrorKind::Config), naming the field, its value and what is
    /// allowed.
    pub fn build(self) -> Result<Pool, Error> {
        let (stack, transport, config) = self.assemble()?;
        Ok(Pool::of(stack, transport, config))
    }

    /// The typed stack without a box, for those who go on building in tower.
    ///
    /// # Errors
    ///
    /// As [`build`](PoolBuilder::build).
    pub fn build_service(self) -> Result<Stack, Error> {
        Ok(self.assemble()?.0)
    }

    fn assemble(self) -> Result<(Stack, Transport, PoolConfig), Error> {
        let config = self.config;
        config.check()?;
        let settings = host_settings(&config, self.hosts)?;
        let transport = self
            .transport
            .limits(limits(&config))
            .timeouts(timeouts(&config))
            .protocol(config.protocol)
            .tls(self.tls)
            .build()?;
        let hosts = HostStack::new(transport.clone(), settings);
        let mut router = HostRouter::builder().max_hosts(config.max_hosts);
        router = match config.host_idle_timeout {
            Some(timeout) => router.idle_timeout(timeout),
            None => router.no_idle_timeout(),
        };
        let total = match config.request_timeout {
            Some(timeout) => RequestTimeout::total(timeout),
            None => RequestTimeout::none(),
        };
        let stack = TimeoutLayer::new(total).layer(router.build_with(hosts));
        Ok((stack, transport, config))
    }
}

fn limits(config: &PoolConfig) -> PoolLimits {
    let mut limits = PoolLimits::default();
    limits.max_connections_per_host = config.max_connections_per_host;
    limits.max_connections = config.max_connections;
    limits.max_idle_per_host = config.max_idle_per_host;
    limits.max_idle = config.max_idle;
    limits.max_waiting_per_host = config.max_waiting_per_host;
    limits.idle_timeout = config.idle_timeout;
    limits.max_lifetime = config.max_connection_lifetime;
    limits
}

fn timeouts(config: &PoolConfig) -> PhaseTimeouts {
    let mut timeouts = PhaseTimeouts::default();
    timeouts.acquire = config.acquire_timeout;
    timeouts.connect = config.dial_timeout;
    timeouts.tls = config.tls_handshake_timeout;
    timeouts.response_head = config.response_header_timeout;
    timeouts.body_idle = config.body_idle_timeout;
    timeouts.write_idle = config.write_idle_timeout;
    timeouts
}

fn host_settings(
    config: &PoolConfig,
    hosts: Vec<(String, HostConfig)>,
) -> Result<HostSettings, Error> {
    let base = config.headers()?;
    let mut by_name = HashMap::new();
    for (name, host) in hosts {
        // The name first: the other refusals repeat it.
        let key = check::host_name(&name)?;
        host.check(&name)?;
        let headers = host.headers(&name, &base)?;
        let attempt = host.attempt_timeout.or(config.attempt_timeout);
        by_name.insert(key, (Arc::new(headers), attempt));
    }
    Ok(HostSettings::new(base, config.attempt_timeout, by_name))
}
