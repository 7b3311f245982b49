use std::time::Duration;

use standpipe_circuit_breaker::CircuitBreakerConfig;
use standpipe_transport::Protocol;

use super::PoolConfig;

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_connections_per_host: 100,
            max_connections: None,
            max_idle_per_host: 10,
            max_idle: 100,
            max_waiting_per_host: None,
            idle_timeout: Some(Duration::from_secs(90)),
            max_connection_lifetime: None,
            acquire_timeout: None,
            dial_timeout: Some(Duration::from_secs(30)),
            tls_handshake_timeout: Some(Duration::from_secs(10)),
            response_header_timeout: Some(Duration::from_secs(60)),
            body_idle_timeout: None,
            write_idle_timeout: None,
            attempt_timeout: None,
            request_timeout: Some(Duration::from_secs(120)),
            max_retries: 3,
            initial_retry_delay: Duration::from_secs(1),
            max_retry_delay: Duration::from_secs(30),
            retry_multiplier: 2.0,
            retry_jitter: 0.1,
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
            user_agent: Some(concat!("standpipe/", env!("CARGO_PKG_VERSION")).to_owned()),
            ..Self::default()
        }
    }
}
