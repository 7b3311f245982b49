mod assemble;
mod recorder;
mod swap;

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request};
use rustls::ClientConfig;
use standpipe_circuit_breaker::{CircuitBreakerConfig, Transition};
use standpipe_core::{Body, BoxError, Origin};
use standpipe_metrics::Recorder;
use standpipe_rate_limit::{RateLimitConfig, Store};
use standpipe_retry::{BudgetPolicy, GiveUpEvent, Peeked, RetryEvent, RetryPolicy, Verdict};
use standpipe_transport::{Connector, Protocol, Proxy, TlsConfig, TransportBuilder};
use tower_layer::Identity;

use crate::stack::{Hooks, HostStack, RateLimitEvent};
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
        tcp_keepalive: Option<Duration>,
        tcp_keepalive_interval: Option<Duration>,
        tcp_keepalive_retries: Option<u32>,
        attempt_timeout: Option<Duration>,
        request_timeout: Option<Duration>,
        max_retries: u32,
        initial_retry_delay: Duration,
        max_retry_delay: Duration,
        retry_multiplier: f64,
        retry_jitter: f64,
        retry_statuses: Vec<u16>,
        max_retry_after: Duration,
        retry_budget: Option<BudgetPolicy>,
        replay_cap: usize,
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

    /// Sets what is retried, how often and when, in place of the config's settings of retries: its
    /// `max_retries`, the delays, the multiplier, the jitter, the statuses, the longest `Retry-After`, the
    /// budget and the replay cap then have no effect.
    #[must_use]
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = Some(policy);
        self
    }

    /// One attempt and no more, for each request; a host or a request may say otherwise.
    #[must_use]
    pub fn without_retry(mut self) -> Self {
        self.settings.config.max_retries = 0;
        self.retry_policy(RetryPolicy::none().budget(None))
    }

    /// Shows each retry to `hook` before it waits. A second call replaces the hook; so do those of
    /// all hooks here.
    ///
    /// # Panics
    ///
    /// A panic of the hook goes through the request's future.
    #[must_use]
    pub fn on_retry(mut self, hook: impl Fn(&RetryEvent<'_>) + Send + Sync + 'static) -> Self {
        self.settings.hooks.on_retry = Some(Arc::new(hook));
        self
    }

    /// Shows to `hook` each outcome that calls for another attempt and gets none.
    ///
    /// # Panics
    ///
    /// A panic of the hook goes through the request's future.
    #[must_use]
    pub fn on_give_up(mut self, hook: impl Fn(&GiveUpEvent<'_>) + Send + Sync + 'static) -> Self {
        self.settings.hooks.on_give_up = Some(Arc::new(hook));
        self
    }

    /// Asks `classify` about the answers of status 4xx that would be tried again, and takes those as final
    /// of which it says so; it is shown the beginning of the body, which the caller gets as a whole. With
    /// [`provider_errors`](PoolConfig::provider_errors) each of both may say so.
    ///
    /// ```
    /// use standpipe::{Pool, Verdict};
    ///
    /// let builder = Pool::builder().classify_errors(|answer| {
    ///     match answer.body.starts_with(b"quota exhausted") {
    ///         true => Verdict::Final,
    ///         false => Verdict::Retry,
    ///     }
    /// });
    /// # drop(builder);
    /// ```
    ///
    /// # Panics
    ///
    /// A panic of the function goes through the request's future.
    #[must_use]
    pub fn classify_errors(
        mut self,
        classify: impl Fn(&Peeked<'_>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.classify = Some(Arc::new(classify));
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
        self.settings.hooks.before_attempt = Some(Arc::new(hook));
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
        self.settings.hooks.idempotency_key = Some(Arc::new(make));
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

    /// Sets [`PoolConfig::rate_limit`]: each origin has one of its own.
    #[must_use]
    pub fn rate_limit(mut self, config: impl Into<RateLimitConfig>) -> Self {
        self.settings.config.rate_limit = Some(config.into());
        self
    }

    /// Has `cost` say how many units of the quotas by cost a request to the origin takes, such as
    /// tokens. A [`RequestBuilder::cost`](crate::RequestBuilder::cost) goes first; without either a
    /// request takes one. What comes of an answer is told by
    /// [`actual_cost`](PoolBuilder::actual_cost), or by the caller to the
    /// [`Settle`](standpipe_rate_limit::Settle) in the answer's extensions.
    ///
    /// # Panics
    ///
    /// A panic of the function ends that request alone.
    #[must_use]
    pub fn request_cost(
        mut self,
        cost: impl Fn(&Origin, &Request<Body>) -> u32 + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.cost_of = Some(Arc::new(cost));
        self
    }

    /// Has `actual` read from an answer's headers what it cost in the end, where they say it.
    ///
    /// # Panics
    ///
    /// A panic of the function ends that request alone.
    #[must_use]
    pub fn actual_cost(
        mut self,
        actual: impl Fn(&Origin, &HeaderMap) -> Option<u32> + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.actual_cost = Some(Arc::new(actual));
        self
    }

    /// Keeps the quotas of each origin in the store that `store` gives for it, such as one on Redis
    /// for a whole fleet.
    #[must_use]
    pub fn rate_limit_store<S: Store>(
        mut self,
        store: impl Fn(&Origin) -> S + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.store_for = Some(Arc::new(move |origin| Arc::new(store(origin))));
        self
    }

    /// Shows to `hook` what rate limits do: who waits, who is refused, and pauses that the server
    /// asked for. It should not wait.
    ///
    /// # Panics
    ///
    /// A panic of the hook ends that request alone.
    #[must_use]
    pub fn on_rate_limit(
        mut self,
        hook: impl Fn(&Origin, &RateLimitEvent) + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.on_rate_limit = Some(Arc::new(hook));
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

impl<O, H> PoolBuilder<O, H, TransportBuilder> {
    /// Settings of TLS, one by one.
    #[must_use]
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.bottom = self.bottom.tls(tls);
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
        self.bottom = self.bottom.connector(connector);
        self
    }

    /// The proxy to go through, in place of the environment's; see [`Proxy`].
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.bottom = self.bottom.proxy(proxy);
        self
    }

    /// Goes through no proxy, whatever the environment says.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.bottom = self.bottom.no_proxy();
        self
    }

    /// Sets the transport up further: TCP, DNS, HTTP/1.1 and HTTP/2 settings, resolvers, address
    /// filters, events. What [`PoolConfig`] has a field for is set from there.
    #[must_use]
    pub fn configure_transport(
        mut self,
        configure: impl FnOnce(TransportBuilder) -> TransportBuilder,
    ) -> Self {
        self.bottom = configure(self.bottom);
        self
    }
}
