//! The counters at one moment.

mod read;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use crate::recorder::BreakerState;

/// What a pool has done so far, over all its hosts; [`Registry::metrics`](crate::Registry::metrics)
/// gives it.
///
/// The figures themselves are in [`Figures`], to which it dereferences.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PoolMetrics {
    /// Hosts that have an entry of their own.
    pub hosts: usize,
    /// How often the [`Recorder`](crate::Recorder) panicked.
    pub recorder_panics: u64,
    /// All else.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub figures: Figures,
}

/// What was done with one host; [`Registry::host_metrics`](crate::Registry::host_metrics) gives it.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HostMetrics {
    /// The origin, such as `https://api.example.com`; the host alone where several of its origins
    /// are taken together; `_OTHER` for the hosts over the bound.
    pub name: String,
    /// All else.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub figures: Figures,
}

/// What is counted, for a host or for all.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Figures {
    /// Logical requests: each counts once, whatever retries and redirects it took.
    pub requests: RequestMetrics,
    /// Attempts: each time a request was sent, or was to be sent on a connection that did not come.
    pub attempts: RequestMetrics,
    /// Retries.
    pub retries: RetryMetrics,
    /// The circuit breaker.
    pub breaker: BreakerMetrics,
    /// The rate limit.
    pub limiter: LimiterMetrics,
    /// Connections.
    pub connections: ConnectionMetrics,
}

/// Counts of requests.
///
/// They are consistent, whoever counts meanwhile: `total` is `successful` + `failed` + `cancelled` +
/// `in_flight`, and `responses` is `bodies.complete` + `bodies.failed` + `bodies.abandoned` +
/// `bodies.open`. Times and bytes may be ahead by those requests that end while they are read.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RequestMetrics {
    /// Requests that began.
    pub total: u64,
    /// Those that were answered with a status below 500: the server did its work, though the answer
    /// may be no; `statuses` tells more.
    pub successful: u64,
    /// Those that ended in an error, or were answered with 500 or above.
    pub failed: u64,
    /// Those whose future was dropped before the response head.
    pub cancelled: u64,
    /// Those that wait for their response head.
    pub in_flight: u64,
    /// Those that ended in an error: the part of `failed` that has no status.
    pub errors: u64,
    /// Those that this client refused by itself: the part of `errors` that says nothing of the
    /// server.
    pub rejected: u64,
    /// `errors` by [`ErrorType`](crate::ErrorType).
    pub errors_by_kind: BTreeMap<&'static str, u64>,
    /// Those that were answered.
    pub responses: u64,
    /// `responses` by their status.
    pub statuses: StatusMetrics,
    /// How the response bodies ended.
    pub bodies: BodyMetrics,
    /// Bytes of response bodies, as this layer saw them: decoded above a decompression, as they came
    /// below.
    pub bytes_in: u64,
    /// Bytes of the request bodies whose length was known beforehand and that were answered.
    pub bytes_out: u64,
    /// The time to the response head, or to the error.
    pub latency: Latency,
    /// The time to the end of the response body, of those that are complete.
    pub latency_to_end: Latency,
}

/// Responses by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StatusMetrics {
    /// Below 300.
    pub success: u64,
    /// 300 to 399.
    pub redirection: u64,
    /// 400 to 499, without 429.
    pub client_error: u64,
    /// 429.
    pub too_many_requests: u64,
    /// 500 and above.
    pub server_error: u64,
}

/// Response bodies by their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BodyMetrics {
    /// All of it came.
    pub complete: u64,
    /// It broke off.
    pub failed: u64,
    /// It was dropped before its end.
    pub abandoned: u64,
    /// It is still there.
    pub open: u64,
}

/// Retries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RetryMetrics {
    /// How often a request was sent again.
    pub retried: u64,
    /// How often one could have been sent again and was not.
    pub given_up: u64,
    /// How many retries the budget allows now, where that was told; for a pool, the sum over its
    /// hosts.
    pub budget: Option<f64>,
}

/// The circuit breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BreakerMetrics {
    /// The state it went to last; `None` while it never left the first. For several hosts, the one
    /// farthest from closed.
    pub state: Option<BreakerState>,
    /// Hosts whose breaker is open or half open.
    pub not_closed: u64,
    /// How often it opened.
    pub opened: u64,
    /// How often it changed its state.
    pub transitions: u64,
}

/// The rate limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LimiterMetrics {
    /// Requests that waited.
    pub waited: u64,
    /// The time they waited, in all; in seconds where it is serialised.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub wait_time: Duration,
    /// Requests it refused.
    pub rejected: u64,
    /// How often a server had it pause.
    pub pauses: u64,
}

/// Connections.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ConnectionMetrics {
    /// Those in use.
    pub active: u64,
    /// Those not in use.
    pub idle: u64,
    /// Those opened so far.
    pub opened: u64,
    /// Those closed so far.
    pub closed: u64,
    /// `closed` by reason.
    pub closed_by_reason: BTreeMap<&'static str, u64>,
    /// The average life of those closed; in seconds where it is serialised.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub average_lifetime: Duration,
    /// Those that could not be opened.
    pub dial_failures: u64,
    /// Attempts answered on a connection that had carried a request before, where the response body
    /// is a [`standpipe_core::Body`] that says so.
    pub reused: u64,
    /// The share of `reused` among the attempts that were answered, from 0 to 1.
    pub reuse_share: f64,
    /// The time that requests waited for a connection, of those that waited.
    pub acquire_wait: Latency,
}

/// A distribution of times. Quantiles are within 12.5 % from 32 ns to 4.8 hours; the rest is exact.
///
/// It is serialised in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Their sum.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub total: Duration,
    /// Their average; zero without any.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub average: Duration,
    /// Half are at or below it.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub p50: Duration,
    /// 90 % are.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub p90: Duration,
    /// 99 % are.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub p99: Duration,
    /// 99.9 % are.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub p999: Duration,
}

impl Deref for PoolMetrics {
    type Target = Figures;

    fn deref(&self) -> &Figures {
        &self.figures
    }
}

impl Deref for HostMetrics {
    type Target = Figures;

    fn deref(&self) -> &Figures {
        &self.figures
    }
}

#[cfg(feature = "serde")]
fn seconds<S: serde::Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64())
}
