mod assemble;
mod rate_limit;
mod recorder;
mod retry;
mod swap;
mod transport;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use standpipe_circuit_breaker::{CircuitBreakerConfig, Transition};
use standpipe_core::Origin;
use standpipe_metrics::Recorder;
use standpipe_retry::RetryPolicy;
use standpipe_transport::{MinThroughput, Protocol, TransportBuilder};
use tower_layer::Identity;

use crate::stack::{Hooks, HostStack};
use crate::{HostConfig, PoolConfig};
pub(crate) use assemble::host_table;
use recorder::SharedRecorder;

/// Builds a [`Pool`](crate::Pool).
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
///
/// Its parameters are the layers around the whole stack, the stack of each host, and what is at the
/// bottom; each has a default, and a `PoolBuilder` without parameters is what
/// [`Pool::builder`](crate::Pool::builder) gives.
#[derive(Clone, Debug)]
pub struct PoolBuilder<O = Identity, H = HostStack, T = TransportBuilder> {
    settings: Settings,
    outer: O,
    host_stack: H,
    /// Carries the connector; its limits and timeouts are set from the config when built.
    bottom: T,
}

/// What a builder holds that does not depend on its parameters.
#[derive(Clone, Debug, Default)]
struct Settings {
    config: PoolConfig,
    hosts: Vec<(String, HostConfig)>,
    retry: Option<RetryPolicy>,
    hooks: Hooks,
    recorder: Option<SharedRecorder>,
    #[cfg(feature = "cookies")]
    cookies: Option<crate::CookieJar>,
}

impl Default for PoolBuilder {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            outer: Identity::new(),
            host_stack: HostStack::new(),
            bottom: TransportBuilder::default(),
        }
    }
}

macro_rules! setters {
    ($($name:ident: $ty:ty),* $(,)?) => {$(
        #[doc = concat!("Sets [`PoolConfig::", stringify!($name), "`].")]
        #[must_use]
        pub fn $name(mut self, $name: $ty) -> Self {
            self.settings.config.$name = $name;
            self
        }
    )*};
}

impl<O, H, T> PoolBuilder<O, H, T> {
    setters! {
        max_connections_per_host: usize,
        max_connections: Option<usize>,
        max_idle_per_host: usize,
        min_idle: usize,
        max_idle: usize,
        max_waiting_per_host: Option<usize>,
        idle_timeout: Option<Duration>,
        max_connection_lifetime: Option<Duration>,
        max_requests_per_connection: Option<u64>,
        retire_on_dns_change: bool,
        acquire_timeout: Option<Duration>,
        dial_timeout: Option<Duration>,
        tls_handshake_timeout: Option<Duration>,
        response_header_timeout: Option<Duration>,
        body_idle_timeout: Option<Duration>,
        body_throughput: Option<MinThroughput>,
        write_idle_timeout: Option<Duration>,
        tcp_keepalive: Option<Duration>,
        tcp_keepalive_interval: Option<Duration>,
        tcp_keepalive_retries: Option<u32>,
        local_address: Option<IpAddr>,
        attempt_timeout: Option<Duration>,
        request_timeout: Option<Duration>,
        initial_retry_delay: Duration,
        max_retry_delay: Duration,
        retry_multiplier: f64,
        retry_jitter: f64,
        provider_errors: bool,
        max_redirects: Option<u32>,
        secret_headers: Vec<String>,
        decompress: bool,
        max_decompressed_bytes: u64,
        metrics: bool,
        max_hosts_in_metrics: usize,
        max_hosts: usize,
        host_idle_timeout: Option<Duration>,
        max_response_bytes: u64,
        protocol: Protocol,
    }

    /// Sets [`PoolConfig::user_agent`].
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.settings.config.user_agent = Some(user_agent.into());
        self
    }

    /// Sets all of the config.
    #[must_use]
    pub fn config(mut self, config: PoolConfig) -> Self {
        self.settings.config = config;
        self
    }

    /// Settings for a host: `"api.example.com"`, whatever the scheme and port;
    /// `"https://api.example.com"` or `"api.example.com:8443"` for these alone; `"*.example.com"` for
    /// all hosts below that name. A second call for the same replaces the first. Where several mean
    /// an origin, the one that says most of it holds, and the others do not: a whole name before a
    /// pattern, the longer pattern, then a port, then a scheme.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>, config: HostConfig) -> Self {
        self.settings.hosts.push((host.into(), config));
        self
    }

    /// Sets [`PoolConfig::circuit_breaker`].
    #[must_use]
    pub fn circuit_breaker(mut self, config: CircuitBreakerConfig) -> Self {
        self.settings.config.circuit_breaker = Some(config);
        self
    }

    /// No circuit breakers; a host may say otherwise.
    #[must_use]
    pub fn without_circuit_breaker(mut self) -> Self {
        self.settings.config.circuit_breaker = None;
        self
    }

    /// Has `hook` called once for each change of an origin's circuit, in their order. No lock is
    /// held meanwhile; it should not wait, as a request may do so for it.
    ///
    /// # Panics
    ///
    /// A panic of the hook ends with it.
    #[must_use]
    pub fn on_circuit_transition(
        mut self,
        hook: impl Fn(&Origin, &Transition) + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.on_circuit_transition = Some(Arc::new(hook));
        self
    }

    /// Sends the cookies of `jar` and keeps there those that answers set, on each hop of a redirect.
    /// Without a jar none are.
    #[cfg(feature = "cookies")]
    #[must_use]
    pub fn cookies(mut self, jar: crate::CookieJar) -> Self {
        self.settings.cookies = Some(jar);
        self
    }

    /// Measures nothing, and makes no `tracing` spans: as [`metrics(false)`](PoolBuilder::metrics).
    #[must_use]
    pub fn without_metrics(self) -> Self {
        self.metrics(false)
    }

    /// Tells `recorder` what happens, beside what the pool counts by itself. With the feature
    /// `metrics` it stands in place of the [`metrics`](https://docs.rs/metrics) crate, which is told
    /// otherwise.
    #[must_use]
    pub fn recorder(mut self, recorder: impl Recorder) -> Self {
        self.settings.recorder = Some(SharedRecorder::new(recorder));
        self
    }
}
