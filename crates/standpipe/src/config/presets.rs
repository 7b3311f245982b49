use std::time::Duration;

use standpipe_circuit_breaker::CircuitBreakerConfig;
use standpipe_retry::BudgetPolicy;
use standpipe_transport::Protocol;

use super::PoolConfig;
use crate::providers;

const USER_AGENT: &str = concat!("standpipe/", env!("CARGO_PKG_VERSION"));

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_connections_per_host: 100,
            max_connections: None,
            max_idle_per_host: 10,
            min_idle: 0,
            max_idle: 100,
            max_waiting_per_host: None,
            idle_timeout: Some(Duration::from_secs(90)),
            max_connection_lifetime: None,
            max_requests_per_connection: None,
            retire_on_dns_change: false,
            acquire_timeout: None,
            dial_timeout: Some(Duration::from_secs(30)),
            tls_handshake_timeout: Some(Duration::from_secs(10)),
            response_header_timeout: Some(Duration::from_secs(60)),
            body_idle_timeout: None,
            body_throughput: None,
            write_idle_timeout: None,
            tcp_keepalive: Some(Duration::from_secs(60)),
            tcp_keepalive_interval: None,
            tcp_keepalive_retries: None,
            local_address: None,
            attempt_timeout: None,
            request_timeout: Some(Duration::from_secs(120)),
            max_retries: 3,
            initial_retry_delay: Duration::from_secs(1),
            max_retry_delay: Duration::from_secs(30),
            retry_multiplier: 2.0,
            retry_jitter: 0.1,
            retry_statuses: vec![429, 502, 503, 504],
            max_retry_after: Duration::from_secs(120),
            retry_budget: Some(BudgetPolicy::default()),
            replay_cap: 64 * 1024,
            provider_errors: false,
            rate_limit: None,
            circuit_breaker: Some(CircuitBreakerConfig::new()),
            max_redirects: Some(10),
            secret_headers: vec!["x-api-key".to_owned(), "api-key".to_owned()],
            decompress: true,
            max_decompressed_bytes: 1 << 30,
            metrics: true,
            max_hosts_in_metrics: 1_000,
            max_hosts: 10_000,
            host_idle_timeout: Some(Duration::from_secs(60 * 60)),
            max_response_bytes: 64 * 1024 * 1024,
            user_agent: None,
            protocol: Protocol::Auto,
        }
    }
}

impl PoolConfig {
    /// The preset of a client that a whole process shares: at most 100 connections in all and 20
    /// idle ones, idle for 30 s; connect 30 s, read (response head, silence in a body) 60 s, write
    /// 30 s, acquire 5 s; HTTP/2 where it is negotiated; a `User-Agent` of its own. The rest is as
    /// in the default.
    pub fn shared() -> Self {
        Self {
            max_connections: Some(100),
            max_idle: 20,
            idle_timeout: Some(Duration::from_secs(30)),
            acquire_timeout: Some(Duration::from_secs(5)),
            dial_timeout: Some(Duration::from_secs(30)),
            response_header_timeout: Some(Duration::from_secs(60)),
            body_idle_timeout: Some(Duration::from_secs(60)),
            write_idle_timeout: Some(Duration::from_secs(30)),
            user_agent: Some(USER_AGENT.to_owned()),
            ..Self::default()
        }
    }

    /// The preset for the APIs of language models, whose answers take their time.
    ///
    /// A request has 600 s in all and 5 s to connect. The first byte of an answer may take 120 s; after
    /// that a silence may last 180 s, which a ping ends. TCP probes the peer after 60 s, every 60 s, 5
    /// times. A request is tried again twice, after 0.5 s and up to 8 s, upon a status of
    /// [`providers::RETRY_STATUSES`](crate::providers::RETRY_STATUSES), unless the answer's body says that
    /// the money is spent or the server asks for more than 60 s. Up to 8 MiB of a streamed request are
    /// kept for that. A redirect to another origin loses
    /// [`providers::SECRET_HEADERS`](crate::providers::SECRET_HEADERS). The rest is as in the default.
    ///
    /// A POST that may have arrived is not sent again unless it has an `Idempotency-Key`, since it would
    /// be paid for twice.
    ///
    /// ```
    /// use standpipe::{HostConfig, Pool, PoolConfig};
    ///
    /// # fn main() -> Result<(), standpipe::Error> {
    /// let anthropic = HostConfig::new()
    ///     .default_header("x-api-key", "secret")
    ///     .default_header("anthropic-version", "2023-06-01");
    /// let pool = Pool::builder()
    ///     .config(PoolConfig::llm())
    ///     .host("api.anthropic.com", anthropic)
    ///     .build()?;
    /// # drop(pool); Ok(()) }
    /// ```
    pub fn llm() -> Self {
        Self {
            dial_timeout: Some(Duration::from_secs(5)),
            response_header_timeout: Some(Duration::from_secs(120)),
            body_idle_timeout: Some(Duration::from_secs(180)),
            request_timeout: Some(Duration::from_secs(600)),
            tcp_keepalive: Some(Duration::from_secs(60)),
            tcp_keepalive_interval: Some(Duration::from_secs(60)),
            tcp_keepalive_retries: Some(5),
            max_retries: 2,
            initial_retry_delay: Duration::from_millis(500),
            max_retry_delay: Duration::from_secs(8),
            retry_jitter: 0.25,
            retry_statuses: providers::RETRY_STATUSES.to_vec(),
            max_retry_after: Duration::from_secs(60),
            replay_cap: 8 * 1024 * 1024,
            provider_errors: true,
            secret_headers: providers::SECRET_HEADERS.map(str::to_owned).to_vec(),
            user_agent: Some(USER_AGENT.to_owned()),
            ..Self::default()
        }
    }
}
