//! Settings as plain data.

pub(crate) mod check;
#[cfg(feature = "serde")]
mod data;
mod host;
mod layers;
mod pattern;
mod presets;
mod secret;
mod setting;

use std::net::IpAddr;
use std::time::Duration;

use standpipe_circuit_breaker::CircuitBreakerConfig;
use standpipe_rate_limit::RateLimitConfig;
use standpipe_retry::BudgetPolicy;
use standpipe_transport::{MinThroughput, Protocol};

#[cfg(feature = "serde")]
pub use data::ConfigFile;
pub use host::HostConfig;
pub(crate) use pattern::HostPattern;
pub use setting::Setting;

/// The settings of a [`Pool`](crate::Pool). Each field has its default at its documentation;
/// [`shared`](PoolConfig::shared) and [`llm`](PoolConfig::llm) are other presets.
///
/// An `Option` of `None` sets no bound.
///
/// With the feature `serde` it is read from and written to data, such as TOML and JSON, and
/// [read from the environment](PoolConfig::from_env). A duration is text with its unit, `"1m30s"`; `None`
/// is `"none"`; a field that is missing has its default, and one that is none is an error, as is a wrong
/// value, which name it. [`ConfigFile`](crate::ConfigFile) holds settings of hosts too.
///
/// ```
/// use standpipe::{Pool, PoolConfig};
/// use std::time::Duration;
///
/// let mut config = PoolConfig::default();
/// config.request_timeout = Some(Duration::from_secs(20));
/// config.max_connections_per_host = 32;
/// let pool = Pool::builder().config(config).build().unwrap();
/// # drop(pool);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PoolConfig {
    /// Connections to one host: dialling, active and idle. Default 100.
    pub max_connections_per_host: usize,
    /// Connections in all. Default: no limit.
    pub max_connections: Option<usize>,
    /// Idle connections to one host. Default 10.
    pub max_idle_per_host: usize,
    /// Connections to keep to an origin that is in use, whether they idle or not: opened with its first
    /// request, replaced when they end, spared by the idle timeout. At most `max_idle_per_host`. Default 0.
    pub min_idle: usize,
    /// Idle connections in all; beyond it the least recently used goes. Default 100.
    pub max_idle: usize,
    /// Requests that may wait for a connection to one host. Default: no limit.
    pub max_waiting_per_host: Option<usize>,
    /// How long a connection may idle. Default 90 s.
    pub idle_timeout: Option<Duration>,
    /// How long a connection may be used, give or take a tenth. Default: no limit.
    pub max_connection_lifetime: Option<Duration>,
    /// How many requests a connection may carry. Default: no limit.
    pub max_requests_per_connection: Option<u64>,
    /// Whether a connection is retired once a newer answer of the resolver no longer holds its address.
    /// Default false: answers that rotate through a large set would cost connections all the time. It is
    /// refused together with a connector of your own, which resolves names itself.
    pub retire_on_dns_change: bool,
    /// How long a request may wait for a connection. Default: no limit of its own.
    pub acquire_timeout: Option<Duration>,
    /// How long opening a connection may take: the name, TCP and any proxy. Default 30 s.
    pub dial_timeout: Option<Duration>,
    /// How long the TLS handshake may take. Default 10 s.
    pub tls_handshake_timeout: Option<Duration>,
    /// How long the response head may take once the request has a connection. Default 60 s.
    pub response_header_timeout: Option<Duration>,
    /// The longest silence within a response body. Default: no limit of its own.
    pub body_idle_timeout: Option<Duration>,
    /// The least rate at which a response body may come, counted while its reader waits for it. Default:
    /// none.
    pub body_throughput: Option<MinThroughput>,
    /// The longest time that the server may take no bytes of a request. Default: no limit.
    pub write_idle_timeout: Option<Duration>,
    /// The idle time after which TCP probes the peer; `None` never. Default 60 s. This and the next two
    /// are the default connector's: with another they have no effect.
    pub tcp_keepalive: Option<Duration>,
    /// The time between two probes. Default: the system's.
    pub tcp_keepalive_interval: Option<Duration>,
    /// How many probes may go unanswered. Default: the system's.
    pub tcp_keepalive_retries: Option<u32>,
    /// The address to connect from; addresses of the other family are not tried then. It is the default
    /// connector's too. Default: the system's choice.
    pub local_address: Option<IpAddr>,
    /// How long one attempt may take up to its response head, its wait for a connection included.
    /// Default: no limit of its own.
    pub attempt_timeout: Option<Duration>,
    /// How long the whole may take: queueing, all attempts and the response body. Default 120 s.
    pub request_timeout: Option<Duration>,
    /// How often a failed request is tried again. Default 3.
    pub max_retries: u32,
    /// The wait before the first retry, where the server asks for none. Default 1 s.
    pub initial_retry_delay: Duration,
    /// The longest wait between retries, where the server asks for none. Default 30 s.
    pub max_retry_delay: Duration,
    /// By how much the wait grows from retry to retry. Default 2.0.
    pub retry_multiplier: f64,
    /// The share of a wait that is drawn at random on top of it, from 0 to 1. Default 0.1.
    pub retry_jitter: f64,
    /// The statuses of answers that are tried again, from 400 to 599. Default 429, 502, 503 and 504.
    pub retry_statuses: Vec<u16>,
    /// The longest wait that a server may ask for; with a longer one its answer is the caller's at once.
    /// Default 2 min.
    pub max_retry_after: Duration,
    /// How many retries the requests to an origin may have together; `None` for any number. Default: 20 %
    /// of the requests, and 10 per second.
    pub retry_budget: Option<BudgetPolicy>,
    /// How many bytes of a streamed request body are kept to be sent again, within what
    /// [`ReplayMemory`](crate::ReplayMemory) has room for. Default 64 KiB.
    pub replay_cap: usize,
    /// Whether the errors of known APIs that no retry helps against, such as an account without money,
    /// are told from those that pass; see [`providers`](crate::providers). Default false.
    pub provider_errors: bool,
    /// The circuit breaker that each origin has one of; `None` for none. Default: opens after 5
    /// failures in a row, for 30 s, and then lets one request through to try. Where its
    /// `probe_timeout` is shorter than an attempt may take, it is made longer than that.
    pub circuit_breaker: Option<CircuitBreakerConfig>,
    /// The rate limit that each origin has one of; `None`, the default, for none.
    pub rate_limit: Option<RateLimitConfig>,
    /// How many redirects are followed; `None` follows none: a redirect is then the caller's answer.
    /// Default 10.
    pub max_redirects: Option<u32>,
    /// Headers that a redirect to another origin loses, beside `Authorization`, `Cookie`,
    /// `Proxy-Authorization` and those whose values are marked as sensitive. A name may end with
    /// `*`: `"x-auth-*"`. Default: those in which APIs take keys, `"x-api-key"` and `"api-key"`.
    pub secret_headers: Vec<String>,
    /// Whether compressed answers are asked for and decoded. Default true; which encodings those are
    /// is up to the features `gzip`, `brotli`, `zstd` and `deflate`: without any of them, none.
    pub decompress: bool,
    /// How many bytes may come out of one compressed body. Default 1 GiB.
    pub max_decompressed_bytes: u64,
    /// Whether requests are measured, and have `tracing` spans. Default true.
    pub metrics: bool,
    /// Hosts that are measured one by one; any further one counts as `_OTHER`. Default 1,000.
    pub max_hosts_in_metrics: usize,
    /// Hosts whose stacks are kept; beyond it the least recently used idle one goes. Default
    /// 10,000.
    pub max_hosts: usize,
    /// How long the stack of a host is kept after its last request. Default 1 h.
    pub host_idle_timeout: Option<Duration>,
    /// The largest response body that `bytes()`, `text()` and `json()` read, in bytes. Default
    /// 64 MiB.
    pub max_response_bytes: u64,
    /// The `User-Agent` of requests that have none. Default: none is sent.
    pub user_agent: Option<String>,
    /// Which HTTP versions are spoken. Default: HTTP/2 where TLS negotiates it, else HTTP/1.1.
    pub protocol: Protocol,
}
