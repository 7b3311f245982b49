use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Which HTTP versions are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/2 where TLS negotiates it (ALPN), HTTP/1.1 otherwise and without TLS.
    #[default]
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only: with TLS the peer must negotiate it, without TLS it is taken for granted (prior
    /// knowledge, RFC 9113, 3.3).
    Http2,
}

/// How many connections there may be, and how long they may idle and live.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PoolLimits {
    /// Connections to one origin: dialling, active and idle. Default 100.
    pub max_connections_per_host: usize,
    /// Connections in all; `None`, the default, sets no limit.
    pub max_connections: Option<usize>,
    /// Idle connections of one origin. Default 10.
    pub max_idle_per_host: usize,
    /// Connections to keep to an origin that is in use, whether they idle or not. Once a request
    /// has opened one, so many are opened; one that was used and ends is replaced; the idle timeout
    /// spares the last of them. It never goes beyond the other limits, and takes nothing from another
    /// origin. A dial of this kind that fails is tried again only when a connection opens or ends
    /// next. Default 0.
    pub min_idle: usize,
    /// Idle connections in all: beyond it the least recently used goes. Default 100.
    pub max_idle: usize,
    /// Requests that may wait for a connection of one origin; `None`, the default, sets no limit.
    pub max_waiting_per_host: Option<usize>,
    /// How long a connection may idle; `None` for ever. Default 90 s.
    pub idle_timeout: Option<Duration>,
    /// How long a connection may be used, give or take a tenth so that a fleet does not move
    /// together; `None`, the default, for ever.
    pub max_lifetime: Option<Duration>,
    /// How many requests a connection may carry; `None`, the default, sets no limit.
    pub max_requests_per_connection: Option<u64>,
    /// Whether a connection is retired when a newer answer of the resolver no longer holds its
    /// address. Default false: answers that rotate through a large set would cost connections all
    /// the time.
    pub retire_on_dns_change: bool,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            max_connections_per_host: 100,
            max_connections: None,
            max_idle_per_host: 10,
            min_idle: 0,
            max_idle: 100,
            max_waiting_per_host: None,
            idle_timeout: Some(Duration::from_secs(90)),
            max_lifetime: None,
            max_requests_per_connection: None,
            retire_on_dns_change: false,
        }
    }
}

/// How long each phase of a request may take; `None` sets no bound. A request's
/// [`Deadline`](standpipe_core::Deadline) bounds every phase besides.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PhaseTimeouts {
    /// Waiting for a connection. Default: none. Zero means: only if one is free now; no dial
    /// begins then, so connections come from [`warm`](crate::Transport::warm) alone.
    pub acquire: Option<Duration>,
    /// Resolving the name. A connector of one's own resolves it within the time of `connect`.
    /// Default 10 s, in which the usual resolver asks a second server.
    pub dns: Option<Duration>,
    /// The connector: TCP over all addresses, and the agreement with any proxy. Default 30 s.
    pub connect: Option<Duration>,
    /// The handshakes of TLS and HTTP/2, each; with a proxy also of TLS. Default 10 s.
    pub tls: Option<Duration>,
    /// From the lease of a connection to the response head. Default 60 s.
    pub response_head: Option<Duration>,
    /// The longest silence within a response body. Default: none.
    pub body_idle: Option<Duration>,
    /// The least rate at which a response body may come. Default: none, as bodies that wait for news may
    /// be silent for long.
    pub body_throughput: Option<MinThroughput>,
    /// The longest time that the peer may take no bytes of ours. Default: none.
    pub write_idle: Option<Duration>,
}

impl Default for PhaseTimeouts {
    fn default() -> Self {
        Self {
            acquire: None,
            dns: Some(Duration::from_secs(10)),
            connect: Some(Duration::from_secs(30)),
            tls: Some(Duration::from_secs(10)),
            response_head: Some(Duration::from_secs(60)),
            body_idle: None,
            body_throughput: None,
            write_idle: None,
        }
    }
}

/// The rate below which a response body is given up, with
/// [`BodyIdleTimeout`](standpipe_core::ErrorKind::BodyIdleTimeout): what comes byte by byte is
/// never silent for long, and never whole.
///
/// Time counts while the caller waits for the peer, and at no other time: whoever reads slowly is not
/// held against the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MinThroughput {
    /// So many bytes a second must come, on the average over the grace. At least 1.
    pub bytes_per_second: u64,
    /// For how long is waited before the rate is looked at, and again each time. More than zero.
    pub grace: Duration,
}

impl Default for MinThroughput {
    /// One byte a second over 20 s.
    fn default() -> Self {
        Self {
            bytes_per_second: 1,
            grace: Duration::from_secs(20),
        }
    }
}

/// How the default connector opens TCP connections.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TcpConfig {
    /// Send small segments at once (`TCP_NODELAY`). Default true.
    pub nodelay: bool,
    /// The idle time after which TCP probes the peer; `None` never. Default 60 s.
    pub keepalive: Option<Duration>,
    /// The time between two probes; `None`, the default, leaves it to the system.
    pub keepalive_interval: Option<Duration>,
    /// How many probes may go unanswered; `None`, the default, leaves it to the system.
    pub keepalive_retries: Option<u32>,
    /// How long what was sent may stay unacknowledged before the connection is given up
    /// (`TCP_USER_TIMEOUT`, RFC 5482); on Linux, Android and Fuchsia alone. `None`, the default, leaves
    /// it to the system.
    pub user_timeout: Option<Duration>,
    /// The address to connect from; other addresses than those of its family are not tried then.
    pub local_address: Option<IpAddr>,
    /// The addresses to connect from, one for each family. Not together with `local_address`.
    pub local_addresses: Option<(Ipv4Addr, Ipv6Addr)>,
}

impl Default for TcpConfig {
    fn default() -> Self {
        Self {
            nodelay: true,
            keepalive: Some(Duration::from_secs(60)),
            keepalive_interval: None,
            keepalive_retries: None,
            user_timeout: None,
            local_address: None,
            local_addresses: None,
        }
    }
}

/// Settings of HTTP/2 connections.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Http2Config {
    /// The interval of PING frames; `None`, the default, sends none. Servers of gRPC refuse
    /// frequent ones.
    pub keep_alive_interval: Option<Duration>,
    /// How long a PING may go unanswered. Default 20 s.
    pub keep_alive_timeout: Duration,
    /// Whether PINGs are sent on a connection without streams. Default false.
    pub keep_alive_while_idle: bool,
    /// The flow-control window of a stream, in bytes; `None`, the default, is hyper's 2 MiB.
    pub initial_stream_window: Option<u32>,
    /// The flow-control window of a connection, in bytes; `None`, the default, is hyper's 5 MiB.
    pub initial_connection_window: Option<u32>,
}

impl Default for Http2Config {
    fn default() -> Self {
        Self {
            keep_alive_interval: None,
            keep_alive_timeout: Duration::from_secs(20),
            keep_alive_while_idle: false,
            initial_stream_window: None,
            initial_connection_window: None,
        }
    }
}

/// Settings of HTTP/1.1 connections.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Http1Config {
    /// The largest response head, in bytes. Default 64 KiB.
    pub max_head_size: usize,
    /// The most header fields of a response. Default 100, which is hyper's own limit: any other one
    /// costs some 2,000 instructions and, when larger, an allocation with each response.
    pub max_headers: usize,
    /// How long the body of a request with `Expect: 100-continue` waits for the server's leave, which
    /// is for the caller to set. It goes out with a `100`, after this time, or with an answer of
    /// success; not after any other answer, which costs the connection. Default 1 s, as Go's
    /// `Transport.ExpectContinueTimeout`. Such a request's informational hook of hyper's is ours.
    pub expect_continue_timeout: Duration,
}

impl Default for Http1Config {
    fn default() -> Self {
        Self {
            max_head_size: 64 * 1024,
            max_headers: 100,
            expect_continue_timeout: Duration::from_secs(1),
        }
    }
}
