use std::fmt;
use std::time::Duration;

use standpipe_circuit_breaker::CircuitBreakerConfig;
use standpipe_retry::RetryPolicy;

use super::Setting;

/// Settings of one host, on top of the pool's.
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
#[non_exhaustive]
pub struct HostConfig {
    /// Headers that requests to this host have unless they set them themselves. They never reach
    /// another host.
    pub default_headers: Vec<(String, String)>,
    /// In place of the pool's attempt timeout.
    pub attempt_timeout: Option<Duration>,
    /// In place of the pool's retry settings, all of them.
    pub retry: Option<RetryPolicy>,
    /// In place of the pool's circuit breaker.
    pub circuit_breaker: Setting<CircuitBreakerConfig>,
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
            .field("attempt_timeout", &self.attempt_timeout)
            .field("retry", &self.retry)
            .field("circuit_breaker", &self.circuit_breaker)
            .finish()
    }
}
