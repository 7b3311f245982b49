#![doc = include_str!("../README.md")]

mod builder;
mod config;
#[cfg(feature = "cookies")]
mod cookies;
mod decompress;
mod pool;
mod redirect;
mod request;
mod response;
mod stack;

pub use builder::PoolBuilder;
pub use config::{HostConfig, PoolConfig, Setting};
#[cfg(feature = "cookies")]
pub use cookies::{CookieJar, CookieLayer, Cookies, CookiesFuture};
pub use decompress::{Decompress, DecompressBody, DecompressFuture, DecompressLayer};
pub use pool::{OriginStats, Pool, PoolFuture, PoolStats};
pub use redirect::{Redirect, RedirectChain, RedirectFuture, RedirectLayer, final_uri};
pub use request::{IntoUri, RequestBuilder};
pub use response::Response;
pub use stack::{
    AnyRetryAfter, Attempt, AttemptFuture, AttemptTimeout, DefaultHeaders, DefaultHeadersLayer,
    Guarded, HostService, HostStack, Hosts, Optional, OptionalFuture, Stack,
};

pub use standpipe_circuit_breaker::{
    Cause, CircuitBreakerConfig, Handle as CircuitHandle, SlowCalls, Span, State as CircuitState,
    Transition, Trip, Window,
};
pub use standpipe_core::{
    Body, BoxError, ConnectionFacts, ConnectionInfo, Deadline, Error, ErrorKind, Origin, Phase,
    RequestSent, ResendCount, RetryInfo,
};
pub use standpipe_metrics::{HostMetrics, PoolMetrics, Recorder};
pub use standpipe_retry::{
    BudgetPolicy, ExponentialBackoff, GiveUpEvent, GiveUpReason, Jitter, Methods, RetryEvent,
    RetryPolicy, TooLong,
};
pub use standpipe_timeout::RequestTimeout;
pub use standpipe_transport::{
    ConnectionStats, Connector, Protocol, TlsConfig, TlsProvider, Transport,
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
