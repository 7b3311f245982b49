use std::time::Duration;

/// A sliding window over the latest calls, and the shares of it that open the breaker.
///
/// ```
/// use standpipe_circuit_breaker::Window;
/// use std::time::Duration;
///
/// // Half of the last 100 calls failed, or nine of ten took longer than 2 s.
/// let window = Window::by_count(100)
///     .failure_rate(0.5)
///     .slow_calls(Duration::from_secs(2), 0.9)
///     .minimum_calls(20);
/// # let _ = window;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "written::Window"))]
#[non_exhaustive]
pub struct Window {
    /// How far it reaches back.
    pub span: Span,
    /// The share of failures, over 0 and up to 1, that opens the breaker; None to look at slow
    /// calls alone. 0.5, unless set.
    #[cfg_attr(feature = "serde", serde(with = "standpipe_core::data::or_none"))]
    pub failure_rate: Option<f64>,
    /// The slow calls that open the breaker. None, unless set.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub slow_calls: Option<SlowCalls>,
    /// How many calls the window must hold before it opens the breaker. 10, unless set, or what
    /// the window can hold where that is less.
    pub minimum_calls: u32,
}

/// How far a [`Window`] reaches back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Span {
    /// The latest so many calls, from 1 to [`MAX_CALLS`](Span::MAX_CALLS). The memory, a byte for
    /// each, is taken when the breaker is made.
    Calls(u32),
    /// The calls that ended within this time, at least 1 ms. They leave the window in ten steps:
    /// each is counted for nine tenths of the time at least, and for all of it at most.
    Time(#[cfg_attr(feature = "serde", serde(with = "standpipe_core::data::duration"))] Duration),
}

impl Span {
    /// The most calls that a window holds.
    pub const MAX_CALLS: u32 = 1_000_000;
}

/// Which calls are slow, and how many of them open the breaker.
///
/// A call that failed slowly is both a failure and slow. With a half-open breaker a slow probe is a
/// failed one.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct SlowCalls {
    /// A call that takes this long or longer is slow.
    #[cfg_attr(feature = "serde", serde(with = "standpipe_core::data::duration"))]
    pub slow_after: Duration,
    /// The share of slow calls, over 0 and up to 1, that opens the breaker.
    pub rate: f64,
}

impl Window {
    /// A window over the latest `calls` calls.
    pub fn by_count(calls: u32) -> Self {
        Self {
            minimum_calls: calls.min(10),
            ..Self::of(Span::Calls(calls))
        }
    }

    /// A window over the calls that ended in the latest `time`.
    pub fn by_time(time: Duration) -> Self {
        Self::of(Span::Time(time))
    }

    /// Sets [`failure_rate`](Self::failure_rate).
    #[must_use]
    pub fn failure_rate(mut self, rate: impl Into<Option<f64>>) -> Self {
        self.failure_rate = rate.into();
        self
    }

    /// Opens the breaker when a share of `rate` of the calls takes `slow_after` or longer. With it
    /// each call reads the clock.
    #[must_use]
    pub fn slow_calls(mut self, slow_after: Duration, rate: f64) -> Self {
        self.slow_calls = Some(SlowCalls { slow_after, rate });
        self
    }

    /// Sets [`minimum_calls`](Self::minimum_calls).
    #[must_use]
    pub fn minimum_calls(mut self, calls: u32) -> Self {
        self.minimum_calls = calls;
        self
    }

    fn of(span: Span) -> Self {
        Self {
            span,
            failure_rate: Some(0.5),
            slow_calls: None,
            minimum_calls: 10,
        }
    }
}

/// What may be written: the span, and what is other than it is for [`Window::by_count`] or
/// [`Window::by_time`].
#[cfg(feature = "serde")]
mod written {
    use super::{SlowCalls, Span};

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Window {
        span: Span,
        #[serde(default = "half", with = "standpipe_core::data::or_none")]
        failure_rate: Option<f64>,
        #[serde(default)]
        slow_calls: Option<SlowCalls>,
        #[serde(default)]
        minimum_calls: Option<u32>,
    }

    fn half() -> Option<f64> {
        super::Window::of(Span::Calls(1)).failure_rate
    }

    impl From<Window> for super::Window {
        fn from(written: Window) -> Self {
            let window = match written.span {
                Span::Calls(calls) => Self::by_count(calls),
                Span::Time(time) => Self::by_time(time),
            };
            Self {
                failure_rate: written.failure_rate,
                slow_calls: written.slow_calls,
                minimum_calls: written.minimum_calls.unwrap_or(window.minimum_calls),
                ..window
            }
        }
    }
}
