use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::request::Parts;
use rustls::ClientConfig;
use standpipe_circuit_breaker::{CircuitBreakerConfig, Transition};
use standpipe_core::{BoxError, Error, Origin};
use standpipe_metrics::{HostLabels, HostRecord, MetricsLayer, Recorder, Registry};
use standpipe_retry::{ExponentialBackoff, GiveUpEvent, Jitter, RetryEvent, RetryPolicy};
use standpipe_router::HostRouter;
use standpipe_timeout::{RequestTimeout, TimeoutLayer};
use standpipe_transport::{
    Connector, PhaseTimeouts, PoolLimits, Protocol, TlsConfig, TransportBuilder,
};
use tower_layer::Layer;

use crate::config::check;
use crate::pool;
use crate::stack::{Hooks, HostSettings, HostStack, PerHost, Stack};
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
    retry: Option<RetryPolicy>,
    hooks: Hooks,
    recorder: Option<SharedRecorder>,
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
        max_hosts_in_metrics: usize,
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

    /// Sets what is retried, how often and when, in place of the config's settings of retries: its
    /// `max_retries`, the delays, the multiplier and the jitter then have no effect.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// One attempt and no more, for each request; a host or a request may say otherwise.
    #[must_use]
    pub fn without_retry(mut self) -> Self {
        self.config.max_retries = 0;
        self.retry(RetryPolicy::none().budget(None))
    }

    /// Shows each retry to `hook` before it waits. A second call replaces the hook; so do those of
    /// all hooks here.
    ///
    /// # Panics
    ///
    /// A panic of the hook goes through the request's future.
    #[must_use]
    pub fn on_retry(mut self, hook: impl Fn(&RetryEvent<'_>) + Send + Sync + 'static) -> Self {
        self.hooks.on_retry = Some(Arc::new(hook));
        self
    }

    /// Shows to `hook` each outcome that calls for another attempt and gets none.
    ///
    /// # Panics
    ///
    /// A panic of the hook goes through the request's future.
    #[must_use]
    pub fn on_give_up(mut self, hook: impl Fn(&GiveUpEvent<'_>) + Send + Sync + 'static) -> Self {
        self.hooks.on_give_up = Some(Arc::new(hook));
        self
    }

    /// Gives each attempt's head to `hook` just before it is sent, with the attempt's number counted
    /// from 0: to renew credentials that ran out during the wait, for one. Each attempt begins with
    /// the head as the caller and the default headers made it. An error from the hook ends the
    /// request with it.
    ///
    /// # Panics
    ///
    /// A panic of the hook goes through the request's future, or its call.
    #[must_use]
    pub fn before_attempt(
        mut self,
        hook: impl Fn(&mut Parts, u32) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.before_attempt = Some(Arc::new(hook));
        self
    }

    /// Gives requests whose method is not idempotent an `Idempotency-Key`, unless they have one: a
    /// new one from `make` for each request, the same on all of its attempts. They are then sent
    /// again where they may have arrived: only for servers that know the header.
    #[must_use]
    pub fn idempotency_key(
        mut self,
        make: impl Fn() -> HeaderValue + Send + Sync + 'static,
    ) -> Self {
        self.hooks.idempotency_key = Some(Arc::new(make));
        self
    }

    /// Sets [`PoolConfig::circuit_breaker`].
    #[must_use]
    pub fn circuit_breaker(mut self, config: CircuitBreakerConfig) -> Self {
        self.config.circuit_breaker = Some(config);
        self
    }

    /// No circuit breakers; a host may say otherwise.
    #[must_use]
    pub fn without_circuit_breaker(mut self) -> Self {
        self.config.circuit_breaker = None;
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
        self.hooks.on_circuit_transition = Some(Arc::new(hook));
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
        self.recorder = Some(SharedRecorder(Arc::new(recorder)));
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
        let (stack, parts) = self.assemble()?;
        Ok(Pool::of(stack, parts))
    }

    /// The typed stack without a box, for those who go on building in tower.
    ///
    /// # Errors
    ///
    /// As [`build`](PoolBuilder::build).
    pub fn build_service(self) -> Result<Stack, Error> {
        Ok(self.assemble()?.0)
    }

    fn assemble(self) -> Result<(Stack, pool::Parts), Error> {
        let config = self.config;
        config.check()?;
        let registry = registry(&config, self.recorder);
        let retry = self.retry.unwrap_or_else(|| retry_policy(&config));
        let (others, by_name) = per_host(&config, retry, self.hosts)?;
        let transport = self
            .transport
            .limits(limits(&config))
            .timeouts(timeouts(&config))
            .protocol(config.protocol)
            .tls(self.tls)
            .build()?;
        let settings = HostSettings {
            others,
            by_name,
            hooks: self.hooks,
            registry: registry.clone(),
            measured: config.metrics,
        };
        let mut router = HostRouter::builder().max_hosts(config.max_hosts);
        router = match config.host_idle_timeout {
            Some(timeout) => router.idle_timeout(timeout),
            None => router.no_idle_timeout(),
        };
        let hosts = router.build_with(HostStack::new(transport.clone(), settings));
        let total = match config.request_timeout {
            Some(timeout) => RequestTimeout::total(timeout),
            None => RequestTimeout::none(),
        };
        // All that waits below for the head holds to the deadline, so one timer is enough for it.
        let total = TimeoutLayer::new(total).handed_down_to_head();
        let metrics = MetricsLayer::new(registry.clone()).enabled(config.metrics);
        let stack = metrics.layer(total.layer(hosts.clone()));
        let parts = pool::Parts {
            hosts,
            transport,
            registry,
            config,
        };
        Ok((stack, parts))
    }
}

/// A recorder that a builder and its clones have in common.
#[derive(Clone)]
struct SharedRecorder(Arc<dyn Recorder>);

impl Recorder for SharedRecorder {
    fn host(&self, host: &HostLabels<'_>) -> Option<Arc<dyn HostRecord>> {
        self.0.host(host)
    }
}

impl fmt::Debug for SharedRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

fn registry(config: &PoolConfig, recorder: Option<SharedRecorder>) -> Registry {
    let builder = Registry::builder().max_hosts(config.max_hosts_in_metrics);
    let builder = match recorder {
        Some(recorder) => builder.recorder(recorder),
        #[cfg(feature = "metrics")]
        None if config.metrics => builder.recorder(standpipe_metrics::MetricsFacade::new()),
        None => builder,
    };
    builder.build()
}

fn retry_policy(config: &PoolConfig) -> RetryPolicy {
    let backoff = ExponentialBackoff::new(config.initial_retry_delay)
        .multiplier(config.retry_multiplier)
        .max(config.max_retry_delay)
        .jitter(Jitter::Proportional(config.retry_jitter));
    RetryPolicy::new()
        .max_retries(config.max_retries)
        .backoff(backoff)
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

/// What holds for hosts without settings of their own, and for those that have some.
fn per_host(
    config: &PoolConfig,
    retry: RetryPolicy,
    hosts: Vec<(String, HostConfig)>,
) -> Result<(PerHost, HashMap<String, PerHost>), Error> {
    let base = config.headers()?;
    let mut by_name = HashMap::new();
    for (name, host) in hosts {
        // The name first: the other refusals repeat it.
        let key = check::host_name(&name)?;
        host.check(&name)?;
        let attempt_timeout = host.attempt_timeout.or(config.attempt_timeout);
        let headers = host.headers(&name, &base)?;
        let circuit_breaker = host.circuit_breaker.or(config.circuit_breaker.clone());
        let own = PerHost {
            headers: Arc::new(headers),
            attempt_timeout,
            retry: host.retry.unwrap_or_else(|| retry.clone()),
            circuit_breaker: circuit_breaker.map(|own| outlast(own, config, attempt_timeout)),
        };
        by_name.insert(key, own);
    }
    let circuit_breaker = config.circuit_breaker.clone();
    let others = PerHost {
        headers: Arc::new(base),
        attempt_timeout: config.attempt_timeout,
        retry,
        circuit_breaker: circuit_breaker.map(|own| outlast(own, config, config.attempt_timeout)),
    };
    Ok((others, by_name))
}

/// The same where no probe loses its place while it may still be answered.
fn outlast(
    breaker: CircuitBreakerConfig,
    config: &PoolConfig,
    attempt_timeout: Option<Duration>,
) -> CircuitBreakerConfig {
    const MARGIN: Duration = Duration::from_secs(1);
    let longest = [attempt_timeout, config.request_timeout];
    let Some(longest) = longest.into_iter().flatten().min() else {
        return breaker;
    };
    let least = longest.saturating_add(MARGIN);
    let timeout = breaker.probe_timeout.max(least);
    breaker.probe_timeout(timeout)
}
