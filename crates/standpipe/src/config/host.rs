use std::fmt;
use std::time::Duration;

use standpipe_circuit_breaker::CircuitBreakerConfig;
use standpipe_rate_limit::RateLimitConfig;
use standpipe_retry::RetryPolicy;

use super::Setting;

/// Settings of one host, on top of the pool's. It is plain data: a literal with
/// `..HostConfig::default()` does as well as the setters.
///
/// ```
/// use standpipe::{HostConfig, Pool};
/// use std::time::Duration;
///
/// let pool = Pool::builder()
///     .host("api.example.com", HostConfig::new()
///         .default_header("x-api-version", "2")
///         .attempt_timeout(Duration::from_secs(10)))
///     .build()
///     .unwrap();
/// # drop(pool);
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct HostConfig {
    /// Headers that requests to this host have unless they set them themselves. They never reach
    /// another host.
    pub default_headers: Vec<(String, String)>,
    /// In place of the pool's `request_timeout`, longer or shorter. A redirect to this host begins no
    /// new one.
    pub request_timeout: Setting<Duration>,
    /// In place of the pool's attempt timeout.
    pub attempt_timeout: Option<Duration>,
    /// The longest silence within a response body of this host; where the pool has one too, the
    /// shorter holds.
    pub body_idle_timeout: Option<Duration>,
    /// Connections to each origin of this host, in place of the pool's `max_connections_per_host`.
    pub max_connections: Option<usize>,
    /// In place of the pool's retry settings, all of them.
    pub retry: Option<RetryPolicy>,
    /// In place of the pool's circuit breaker.
    pub circuit_breaker: Setting<CircuitBreakerConfig>,
    /// In place of the pool's rate limit: each origin of this host has one of its own.
    pub rate_limit: Setting<RateLimitConfig>,
}

impl HostConfig {
    /// Settings that change nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header to those that requests have unless they set them themselves. Whether it is
    /// one is checked when the pool is built.
    #[must_use]
    pub fn default_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.default_headers.push((name.into(), value.into()));
        self
    }

    /// Sets the attempt timeout of this host.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Sets how long a request to this host may take in all.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = Setting::Set(timeout);
        self
    }

    /// Sets the longest silence within a response body of this host.
    #[must_use]
    pub fn body_idle_timeout(mut self, timeout: Duration) -> Self {
        self.body_idle_timeout = Some(timeout);
        self
    }

    /// Sets how many connections each origin of this host may have.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = Some(connections);
        self
    }

    /// Sets the rate limit of this host's origins.
    #[must_use]
    pub fn rate_limit(mut self, config: impl Into<RateLimitConfig>) -> Self {
        self.rate_limit = Setting::Set(config.into());
        self
    }

    /// No rate limit for this host.
    #[must_use]
    pub fn no_rate_limit(mut self) -> Self {
        self.rate_limit = Setting::Off;
        self
    }

    /// Sets what is retried for this host, how often and when, in place of all that the pool says
    /// of retries.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// One attempt and no more, for each request to this host.
    #[must_use]
    pub fn no_retry(self) -> Self {
        self.retry(RetryPolicy::none().budget(None))
    }

    /// Sets the circuit breaker of this host's origins.
    #[must_use]
    pub fn circuit_breaker(mut self, config: CircuitBreakerConfig) -> Self {
        self.circuit_breaker = Setting::Set(config);
        self
    }

    /// No circuit breaker for this host.
    #[must_use]
    pub fn no_circuit_breaker(mut self) -> Self {
        self.circuit_breaker = Setting::Off;
        self
    }
}

/// Names the default headers without their values: they may be secrets.
impl fmt::Debug for HostConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.default_headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("HostConfig")
            .field("default_headers", &names)
            .field("request_timeout", &self.request_timeout)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("body_idle_timeout", &self.body_idle_timeout)
            .field("max_connections", &self.max_connections)
            .field("retry", &self.retry)
            .field("circuit_breaker", &self.circuit_breaker)
            .field("rate_limit", &self.rate_limit)
            .finish()
    }
}
