use std::fmt;
use std::time::Duration;

/// Whether a breaker lets calls through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// All is well: every call passes.
    Closed,
    /// The inner service is taken for dead: every call is refused.
    Open,
    /// A few calls pass, as probes; the rest is refused.
    HalfOpen,
}

impl State {
    /// The state as a short constant word, fit for a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a breaker changed its [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// As many failures in a row as the threshold says.
    ConsecutiveFailures,
    /// The share of failures in the window reached the failure rate.
    FailureRate,
    /// The share of slow calls in the window reached its limit.
    SlowCallRate,
    /// The reset period is over, and a caller came.
    ResetPeriodOver,
    /// A probe failed, or was slow where slow calls count.
    ProbeFailed,
    /// As many probes succeeded as it takes.
    ProbesSucceeded,
    /// By hand: [`Handle::force_open`](crate::Handle::force_open),
    /// [`force_closed`](crate::Handle::force_closed) or [`reset`](crate::Handle::reset).
    ByHand,
}

impl Cause {
    /// The cause as a short constant word, fit for a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::FailureRate => "failure_rate",
            Self::SlowCallRate => "slow_call_rate",
            Self::ResetPeriodOver => "reset_period_over",
            Self::ProbeFailed => "probe_failed",
            Self::ProbesSucceeded => "probes_succeeded",
            Self::ByHand => "by_hand",
        }
    }
}

/// One change of a breaker's [`State`], as a listener is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after; never the same.
    pub to: State,
    /// Why.
    pub cause: Cause,
    /// How long the breaker will refuse before it lets a probe through, when it opened by itself.
    pub open_for: Option<Duration>,
    /// The number of the period that begins. It grows from transition to transition.
    pub generation: u64,
}
