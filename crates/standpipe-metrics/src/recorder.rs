//! Where what happened is sent, beside the counters that a [`Registry`](crate::Registry) keeps.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use standpipe_core::Origin;

use crate::label::{ErrorType, OTHER};

/// Sends what happens elsewhere: to the `metrics` crate by `MetricsFacade` (feature `metrics`), or
/// wherever you like. `()` records nothing and costs
/// nothing.
///
/// The counters of the [`Registry`](crate::Registry) do not need one.
///
/// # Panics
///
/// A recorder that panics harms nothing: what happened was counted before it is told, the panic is
/// caught, and [`PoolMetrics::recorder_panics`](crate::PoolMetrics) counts it. It may call into the
/// registry and send requests: no lock is held while it runs.
///
/// ```
/// use standpipe_metrics::{Event, HostLabels, HostRecord, Recorder, Registry};
/// use std::sync::Arc;
///
/// struct Print;
/// struct PrintHost(String);
///
/// impl Recorder for Print {
///     fn host(&self, host: &HostLabels<'_>) -> Option<Arc<dyn HostRecord>> {
///         Some(Arc::new(PrintHost(host.address().to_owned())))
///     }
/// }
///
/// impl HostRecord for PrintHost {
///     fn record(&self, event: &Event<'_>) {
///         println!("{}: {event:?}", self.0);
///     }
/// }
///
/// let registry = Registry::builder().recorder(Print).build();
/// ```
pub trait Recorder: Send + Sync + 'static {
    /// What is told of everything that happens with `host`; asked once for each, at the first
    /// event. Where two threads meet there it may be asked twice, and one answer is dropped.
    fn host(&self, host: &HostLabels<'_>) -> Option<Arc<dyn HostRecord>>;
}

impl Recorder for () {
    fn host(&self, _: &HostLabels<'_>) -> Option<Arc<dyn HostRecord>> {
        None
    }
}

/// The part of a [`Recorder`] that belongs to one host: the place for handles that are resolved once.
pub trait HostRecord: Send + Sync {
    /// Something happened. It runs on the request's own path and should be quick.
    fn record(&self, event: &Event<'_>);

    /// A request ended and its body with it: `ended` and then `body_ended`, told together, which saves
    /// whoever locks one of two. Unless it is written otherwise, each is told to
    /// [`record`](HostRecord::record); one that panics at the first is not told the second.
    fn record_whole(&self, ended: &Event<'_>, body_ended: &Event<'_>) {
        self.record(ended);
        self.record(body_ended);
    }
}

/// What a host's series are labelled with.
#[derive(Clone, Copy, Debug)]
pub struct HostLabels<'a> {
    pub(crate) origin: Option<&'a Origin>,
}

impl<'a> HostLabels<'a> {
    /// The origin; `None` for all hosts over the registry's bound together.
    pub fn origin(self) -> Option<&'a Origin> {
        self.origin
    }

    /// `server.address`: the host, an IPv6 address without brackets; `_OTHER` for the hosts over the
    /// bound.
    pub fn address(self) -> &'a str {
        self.origin.map_or(OTHER, Origin::host_unbracketed)
    }

    /// `server.port`; none for the hosts over the bound.
    pub fn port(self) -> Option<u16> {
        self.origin.map(Origin::port)
    }
}

/// Whether a request as its caller sees it, or one sending of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The request from its call, with queues, retries and redirects.
    Request,
    /// One attempt.
    Attempt,
}

/// What tells one request's series from another's, within a host.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Exchange<'a> {
    /// Whether it is a logical request or an attempt.
    pub scope: Scope,
    /// `http.request.method`: a known method or `_OTHER`.
    pub method: &'a str,
    /// `http.response.status_code`, once there is one.
    pub status: Option<StatusCode>,
    /// `error.type`, where it ended without a response, or its body failed.
    pub error: Option<ErrorType>,
    /// `url.template`, where the request's extensions have a [`UrlTemplate`](crate::UrlTemplate).
    pub template: Option<&'static str>,
    /// The method's place in the registry's list of known methods, one past its end for `_OTHER`: for
    /// tables of handles.
    pub method_number: u8,
    /// The number of the thread that began it, the same in all its events; none while the host is not
    /// busy.
    pub(crate) lane: Option<usize>,
}

/// What a [`HostRecord`] is told. The counters have it already.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request began. It has neither status nor error.
    Started(Exchange<'a>),
    /// It has its response head, failed, or was cancelled; told once for each that began.
    #[non_exhaustive]
    Ended {
        /// The request, with its status or its error.
        exchange: Exchange<'a>,
        /// The time since it began.
        elapsed: Duration,
        /// The length of its body, where that was known beforehand.
        request_bytes: Option<u64>,
    },
    /// The response body is complete, failed, or was dropped before its end; told once for each that
    /// has a status.
    #[non_exhaustive]
    BodyEnded {
        /// The request, with its status. The error is the body's:
        /// [`CANCELLED`](ErrorType::CANCELLED) where it was dropped.
        exchange: Exchange<'a>,
        /// The time since the request began.
        elapsed: Duration,
        /// How many bytes of it came.
        bytes: u64,
    },
    /// A request will be sent again after `delay`.
    #[non_exhaustive]
    Retried {
        /// How long it waits before.
        delay: Duration,
    },
    /// A request that could have been sent again was not.
    #[non_exhaustive]
    RetryGivenUp {
        /// Why, such as `budget`.
        reason: &'static str,
    },
    /// The retry budget has changed.
    #[non_exhaustive]
    RetryBudget {
        /// How many retries it allows now.
        available: f64,
    },
    /// The circuit breaker changed its state.
    #[non_exhaustive]
    BreakerTransition {
        /// The state before.
        from: BreakerState,
        /// The state now.
        to: BreakerState,
    },
    /// Another circuit, or none, has taken the place of the one before, which is no transition.
    #[non_exhaustive]
    BreakerReplaced {
        /// The state now.
        state: BreakerState,
    },
    /// The rate limit made a request wait.
    #[non_exhaustive]
    LimiterWaited {
        /// For how long.
        wait: Duration,
    },
    /// The rate limit refused a request.
    LimiterRejected,
    /// The rate limit holds everything back, as the server has asked.
    #[non_exhaustive]
    LimiterPaused {
        /// For how long.
        pause: Duration,
    },
    /// A connection came into being in the state `to`, went from one to another, or is gone.
    #[non_exhaustive]
    ConnectionMoved {
        /// The state before; none for a new one.
        from: Option<ConnectionState>,
        /// The state now; none for one that is gone.
        to: Option<ConnectionState>,
    },
    /// A connection was closed; told beside its `ConnectionMoved`.
    #[non_exhaustive]
    ConnectionClosed {
        /// Why, such as `idle`.
        reason: &'static str,
        /// How long it lived.
        lifetime: Duration,
    },
    /// No connection could be opened.
    #[non_exhaustive]
    DialFailed {
        /// Why.
        error: ErrorType,
    },
    /// A request waited for a connection.
    #[non_exhaustive]
    AcquireWaited {
        /// For how long.
        wait: Duration,
    },
}

/// `http.connection.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// A request is on it.
    Active,
    /// It waits in the pool.
    Idle,
}

impl ConnectionState {
    /// `active` or `idle`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
        }
    }
}

/// The state of a circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum BreakerState {
    /// Requests pass.
    Closed,
    /// A few requests try whether the host is back.
    HalfOpen,
    /// Requests are refused.
    Open,
}

impl BreakerState {
    pub(crate) const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    /// `closed`, `half_open` or `open`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}
