//! Settings from and to data.
//!
//! It is not derived: what is read goes over settings that are there already, such as a preset's; a
//! value that is refused is told with the name of its field; and the environment is read by the same
//! list of fields.

mod env;
mod fields;
mod file;
mod throughput;
mod values;

pub use file::ConfigFile;

use fields::fields;

use super::{HostConfig, PoolConfig};

fields!(PoolConfig {
    max_connections_per_host,
    max_connections,
    max_idle_per_host,
    min_idle,
    max_idle,
    max_waiting_per_host,
    idle_timeout,
    max_connection_lifetime,
    max_requests_per_connection,
    retire_on_dns_change,
    acquire_timeout,
    dial_timeout,
    tls_handshake_timeout,
    response_header_timeout,
    body_idle_timeout,
    body_throughput,
    write_idle_timeout,
    tcp_keepalive,
    tcp_keepalive_interval,
    tcp_keepalive_retries,
    local_address,
    attempt_timeout,
    request_timeout,
    max_retries,
    initial_retry_delay,
    max_retry_delay,
    retry_multiplier,
    retry_jitter,
    retry_statuses,
    max_retry_after,
    retry_budget,
    replay_cap,
    provider_errors,
    circuit_breaker,
    rate_limit,
    max_redirects,
    secret_headers,
    decompress,
    max_decompressed_bytes,
    metrics,
    max_hosts_in_metrics,
    max_hosts,
    host_idle_timeout,
    max_response_bytes,
    user_agent,
    protocol,
});

fields!(HostConfig {
    default_headers,
    request_timeout,
    attempt_timeout,
    body_idle_timeout,
    max_connections,
    retry,
    circuit_breaker,
    rate_limit,
});
