#![doc = include_str!("../README.md")]

#[cfg(feature = "blocking")]
pub mod blocking;
mod builder;
mod config;
#[cfg(feature = "cookies")]
mod cookies;
mod decompress;
mod host_client;
#[cfg(feature = "mock")]
pub mod mock;
mod pool;
pub mod providers;
mod redirect;
mod request;
mod response;
mod shared;
pub mod sse;
mod stack;
mod stream;

pub use builder::PoolBuilder;
#[cfg(feature = "serde")]
pub use config::ConfigFile;
pub use config::{HostConfig, PoolConfig, Setting};
#[cfg(feature = "cookies")]
pub use cookies::{CookieJar, CookieLayer, Cookies, CookiesFuture};
pub use decompress::{Decompress, DecompressBody, DecompressFuture, DecompressLayer};
pub use host_client::HostClient;
#[cfg(feature = "mock")]
pub use mock::{MockPool, MockResponse};
pub use pool::{ConcurrencyStats, OriginStats, Pool, PoolFuture, PoolStats, Shutdown};
pub use redirect::{Redirect, RedirectChain, RedirectFuture, RedirectLayer, final_uri};
#[cfg(feature = "fs")]
pub use request::FileBody;
#[cfg(feature = "multipart")]
pub use request::multipart;
pub use request::{IntoUri, RequestBuilder};
pub use response::Response;
pub use shared::{
    SharedShutdown, SharedShutdownReport, SharedState, SharedStats, init_shared, shared,
    shared_stats, shutdown_shared,
};
#[cfg(feature = "blocking")]
pub use shared::{init_shared_blocking, shared_blocking};
pub use stack::{
    AnyRetryAfter, Around, AttemptFuture, AttemptTimeout, Bottom, ConnectionEvents, Core,
    DefaultHeaders, DefaultHeadersLayer, Fixed, Hop, HostBreaker, HostContext, HostLayer,
    HostLimit, HostRetry, HostService, HostStack, HostTotals, Hosts, IdempotencyKeys, IntoBottom,
    MakeHostStack, NewHostStack, NoLayer, Optional, OptionalFuture, PerOrigin, RateLimitEvent,
    Stack, StackBody, Swapped, SwappedFuture, UntilShutdown, UntilShutdownFuture,
};
pub use stream::{BytesStream, Lines};

pub use standpipe_circuit_breaker::{
    Cause, CircuitBreakerConfig, Counts as CircuitCounts, Handle as CircuitHandle, SlowCalls, Span,
    State as CircuitState, Transition, Trip, Window,
};
pub use standpipe_core::{
    Body, BoxError, ConnectionFacts, ConnectionInfo, Deadline, Error, ErrorKind, Origin, Phase,
    ReplayMemory, RequestSent, ResendCount, RetryInfo,
};
pub use standpipe_metrics::{HostMetrics, PoolMetrics, Recorder};
pub use standpipe_rate_limit::{
    ConcurrencyHandle, Handle as RateLimitHandle, Quota, RateLimitConfig, RateLimitStats,
    RequestCost, ServerWord, Settle, Store,
};
pub use standpipe_retry::{
    BudgetPolicy, ExponentialBackoff, GiveUpEvent, GiveUpReason, Jitter, Methods, Peeked,
    RetryEvent, RetryPolicy, TooLong, Verdict,
};
pub use standpipe_timeout::RequestTimeout;
pub use standpipe_transport::{
    ConnectionStats, Connector, MinThroughput, Protocol, Proxy, ShutdownReport, TlsConfig,
    TlsProvider, Transport, TransportBuilder,
};

/// All of the metrics: what a snapshot is made of, and what a [`Recorder`] is told.
pub mod metrics {
    #[cfg(feature = "metrics")]
    pub use standpipe_metrics::{MetricsFacade, SERIES, Series, SeriesKind};

    pub use standpipe_metrics::{
        BodyMetrics, BreakerMetrics, BreakerState, ConnectionMetrics, ConnectionState, ErrorType,
        Event, Exchange, Figures, HostLabels, HostMetrics, HostRecord, Latency, LimiterMetrics,
        PoolMetrics, Recorder, RequestMetrics, RetryMetrics, SECRET_QUERY_KEYS, Scope,
        StatusMetrics, UrlTemplate,
    };
}

pub use http;
