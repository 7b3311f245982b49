mod check;
mod window;

use std::time::Duration;

pub use window::{SlowCalls, Span, Window};

/// The settings of a circuit breaker: plain data, checked when a breaker is made of them.
///
/// ```
/// use standpipe_circuit_breaker::CircuitBreakerConfig;
/// use std::time::Duration;
///
/// let config = CircuitBreakerConfig::new()
///     .threshold(10)
///     .reset_period(Duration::from_secs(5))
///     .half_open_max(3);
/// assert_eq!(config.successes_to_close(), 3);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct CircuitBreakerConfig {
    /// What opens a closed breaker. Five failures in a row, unless set.
    pub trip: Trip,
    /// How long an open breaker refuses before it lets a probe through. 30 s, unless set.
    #[cfg_attr(feature = "serde", serde(with = "standpipe_core::data::duration"))]
    pub reset_period: Duration,
    /// By how much the reset period grows each time a probe fails; 1 for not at all. 2, unless
    /// set. It is [`reset_period`](Self::reset_period) again once the breaker has closed.
    pub reset_factor: f64,
    /// What the reset period never grows beyond. 5 min, unless set.
    #[cfg_attr(feature = "serde", serde(with = "standpipe_core::data::duration"))]
    pub max_reset_period: Duration,
    /// The share of the reset period, from 0 to 1, up to which a random time is added to it, the
    /// largest one as well, so that not all clients probe at once. 0.1, unless set.
    pub reset_jitter: f64,
    /// Makes the jitter repeatable. None, for another one in each breaker, unless set.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub jitter_seed: Option<u64>,
    /// The longest time that a `Retry-After` may set as the reset period. 5 min, unless set.
    #[cfg_attr(feature = "serde", serde(with = "standpipe_core::data::duration"))]
    pub max_retry_after: Duration,
    /// How many probes a half-open breaker has under way at most. 1, unless set.
    pub half_open_max: u32,
    /// How many probes must succeed to close the breaker. None is as many as
    /// [`half_open_max`](Self::half_open_max), and the default.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub probe_successes: Option<u32>,
    /// How long a probe holds its place for sure; after that the next caller that finds all
    /// places taken gets it, and the result of the one before means nothing. 2 min, unless set;
    /// it should be longer than the longest call that is let run.
    #[cfg_attr(feature = "serde", serde(with = "standpipe_core::data::duration"))]
    pub probe_timeout: Duration,
    /// A call that is dropped before its end counts as a failure if it had run for this long: a
    /// timeout outside the breaker has run out. None, by which a dropped call never counts, unless
    /// set. With it each call reads the clock.
    #[cfg_attr(
        feature = "serde",
        serde(
            with = "standpipe_core::data::duration::option",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub dropped_after: Option<Duration>,
    /// Counts successes too: one write to shared memory for each call, where a breaker that
    /// counts failures in a row otherwise only reads. Off, unless set. With a window they are
    /// counted in any case.
    pub count_successes: bool,
}

/// What opens a closed breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(rename_all = "snake_case", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum Trip {
    /// So many failures in a row; a success in between begins a new row.
    Consecutive {
        /// How many: from 1 to [`MAX_THRESHOLD`](Trip::MAX_THRESHOLD).
        threshold: u32,
    },
    /// The share of failures, or of slow calls, among the latest calls.
    Window(Window),
}

impl Trip {
    /// The largest threshold.
    pub const MAX_THRESHOLD: u32 = (1 << 24) - 1;
}

impl Default for CircuitBreakerConfig {
    fn default() -> Self {
        Self {
            trip: Trip::Consecutive { threshold: 5 },
            reset_period: Duration::from_secs(30),
            reset_factor: 2.0,
            max_reset_period: Duration::from_secs(300),
            reset_jitter: 0.1,
            jitter_seed: None,
            max_retry_after: Duration::from_secs(300),
            half_open_max: 1,
            probe_successes: None,
            probe_timeout: Duration::from_secs(120),
            dropped_after: None,
            count_successes: false,
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $ty:ty;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: $ty) -> Self {
            self.$name = $name;
            self
        }
    )*};
}

impl CircuitBreakerConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens after so many failures in a row.
    #[must_use]
    pub fn threshold(mut self, threshold: u32) -> Self {
        self.trip = Trip::Consecutive { threshold };
        self
    }

    /// Opens by the share of failures or of slow calls in a window.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.trip = Trip::Window(window);
        self
    }

    /// Sets [`probe_successes`](Self::probe_successes).
    #[must_use]
    pub fn probe_successes(mut self, successes: u32) -> Self {
        self.probe_successes = Some(successes);
        self
    }

    setters! {
        /// Sets [`reset_period`](Self::reset_period).
        reset_period: Duration;
        /// Sets [`reset_factor`](Self::reset_factor).
        reset_factor: f64;
        /// Sets [`max_reset_period`](Self::max_reset_period).
        max_reset_period: Duration;
        /// Sets [`reset_jitter`](Self::reset_jitter).
        reset_jitter: f64;
        /// Sets [`jitter_seed`](Self::jitter_seed).
        jitter_seed: Option<u64>;
        /// Sets [`max_retry_after`](Self::max_retry_after).
        max_retry_after: Duration;
        /// Sets [`half_open_max`](Self::half_open_max).
        half_open_max: u32;
        /// Sets [`probe_timeout`](Self::probe_timeout).
        probe_timeout: Duration;
        /// Sets [`dropped_after`](Self::dropped_after).
        dropped_after: Option<Duration>;
        /// Sets [`count_successes`](Self::count_successes).
        count_successes: bool;
    }

    /// How many probes must succeed to close the breaker.
    pub fn successes_to_close(&self) -> u32 {
        self.probe_successes.unwrap_or(self.half_open_max)
    }

    /// Whether a call's beginning must be known.
    pub(crate) fn times_calls(&self) -> bool {
        self.dropped_after.is_some() || self.slow_calls().is_some()
    }

    pub(crate) fn slow_calls(&self) -> Option<SlowCalls> {
        match self.trip {
            Trip::Consecutive { .. } => None,
            Trip::Window(window) => window.slow_calls,
        }
    }
}
