#![doc = include_str!("../README.md")]

mod body;
mod count;
#[cfg(feature = "metrics")]
mod facade;
mod future;
mod host;
mod label;
mod layer;
mod recorder;
mod redact;
mod registry;
mod service;
mod settings;
mod snapshot;
mod span;
mod watch;

pub use body::MetricsBody;
#[cfg(feature = "metrics")]
pub use facade::{MetricsFacade, SERIES, Series, SeriesKind};
pub use future::ResponseFuture;
pub use host::HostRecorder;
pub use label::{ErrorType, UrlTemplate};
pub use layer::{AttemptMetricsLayer, MetricsLayer};
pub use recorder::{
    BreakerState, ConnectionState, Event, Exchange, HostLabels, HostRecord, Recorder, Scope,
};
pub use redact::SECRET_QUERY_KEYS;
pub use registry::{Registry, RegistryBuilder};
pub use service::Metrics;
pub use snapshot::{
    BodyMetrics, BreakerMetrics, ConnectionMetrics, Figures, HostMetrics, Latency, LimiterMetrics,
    PoolMetrics, RequestMetrics, RetryMetrics, StatusMetrics,
};

pub use standpipe_core::ResendCount;
