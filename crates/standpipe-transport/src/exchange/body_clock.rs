//! How long a response body may keep its reader waiting.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use standpipe_core::Deadline;
use tokio::time::{Instant, Sleep};

use crate::config::{MinThroughput, PhaseTimeouts};

/// The clocks of one body. They run while the caller waits for the peer, and at no other time: a slow
/// reader is not the peer's fault.
#[derive(Debug)]
pub(super) struct BodyClock {
    /// The longest silence.
    idle: Option<Duration>,
    pace: Option<Pace>,
    wait: Option<Wait>,
}

/// Why the wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// Nothing came for so long.
    Silent(Duration),
    /// Less came than must.
    Slow(MinThroughput),
}

/// The wait at hand.
#[derive(Debug)]
struct Wait {
    began: Instant,
    silent_at: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl BodyClock {
    pub(super) fn new(timeouts: &PhaseTimeouts) -> Self {
        Self {
            idle: timeouts.body_idle,
            pace: timeouts.body_throughput.map(Pace::new),
            wait: None,
        }
    }

    /// Bytes came in, or none with another frame: a wait has ended.
    pub(super) fn took(&mut self, bytes: usize) {
        let wait = self.wait.take();
        if let Some(pace) = &mut self.pace {
            pace.got = pace.got.saturating_add(bytes as u64);
            if let Some(wait) = wait {
                pace.waited = pace.waited.saturating_add(wait.began.elapsed());
            }
        }
    }

    /// Whether the peer was waited for too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Overdue> {
        if self.idle.is_none() && self.pace.is_none() {
            return Poll::Pending;
        }
        if self.wait.is_none() {
            if let Some(slow) = self.judge() {
                return Poll::Ready(slow);
            }
            let began = Instant::now();
            let at = |wait| Deadline::after_instant(began, wait).instant();
            let silent_at = self.idle.map(at);
            let judged_at = self.pace.as_ref().map(|pace| at(pace.left()));
            let first = silent_at.into_iter().chain(judged_at).min();
            self.wait = first.map(|first| Wait {
                began,
                silent_at,
                timer: Box::pin(tokio::time::sleep_until(first)),
            });
        }
        while let Some(wait) = &mut self.wait {
            ready!(wait.timer.as_mut().poll(cx));
            // The timer has said that its time has come, whatever the clock says.
            let now = Instant::now().max(wait.timer.deadline());
            if let Some(idle) = self.idle.filter(|_| wait.silent_at <= Some(now)) {
                return Poll::Ready(Overdue::Silent(idle));
            }
            if let Some(pace) = &mut self.pace {
                pace.waited = pace.waited.saturating_add(now - wait.began);
            }
            wait.began = now;
            if let Some(slow) = self.judge() {
                return Poll::Ready(slow);
            }
            self.set_next(now);
        }
        Poll::Pending
    }

    /// The window of the pace begins anew within one wait, the silence does not.
    fn set_next(&mut self, now: Instant) {
        if let (Some(pace), Some(wait)) = (&self.pace, &mut self.wait) {
            let judged_at = Deadline::after_instant(now, pace.left()).instant();
            let next = wait.silent_at.map_or(judged_at, |at| at.min(judged_at));
            wait.timer.as_mut().reset(next);
        }
    }

    fn judge(&mut self) -> Option<Overdue> {
        let pace = self.pace.as_mut()?;
        pace.is_too_slow().then_some(Overdue::Slow(pace.least))
    }
}

/// What came in one window, which is as long as the grace.
#[derive(Debug)]
struct Pace {
    least: MinThroughput,
    waited: Duration,
    got: u64,
}

impl Pace {
    fn new(least: MinThroughput) -> Self {
        Self {
            least,
            waited: Duration::ZERO,
            got: 0,
        }
    }

    /// How much longer may be waited before the window is judged.
    fn left(&self) -> Duration {
        self.least.grace.saturating_sub(self.waited)
    }

    /// Whether the window is over and too little came in it; one that is over makes room for the next.
    fn is_too_slow(&mut self) -> bool {
        if self.waited < self.least.grace {
            return false;
        }
        let wanted = u128::from(self.least.bytes_per_second).saturating_mul(self.waited.as_nanos());
        let got = u128::from(self.got) * 1_000_000_000;
        *self = Self::new(self.least);
        got < wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(bytes_per_second: u64, grace: Duration) -> Pace {
        Pace::new(MinThroughput {
            bytes_per_second,
            grace,
        })
    }

    #[test]
    fn a_window_is_judged_by_what_came_in_it_alone() {
        let mut pace = pace(10, 4 * SECOND);
        pace.waited = 4 * SECOND - Duration::from_nanos(1);
        assert!(!pace.is_too_slow(), "it is not over");
        (pace.waited, pace.got) = (4 * SECOND, 1_000);
        assert!(!pace.is_too_slow());
        assert_eq!((pace.waited, pace.got), (Duration::ZERO, 0));
        (pace.waited, pace.got) = (4 * SECOND, 39);
        assert!(pace.is_too_slow());
        (pace.waited, pace.got) = (4 * SECOND, 40);
        assert!(!pace.is_too_slow());
    }

    #[test]
    fn no_rate_and_no_grace_is_too_large() {
        let mut pace = pace(u64::MAX, Duration::MAX);
        assert_eq!(pace.left(), Duration::MAX);
        (pace.waited, pace.got) = (Duration::MAX, u64::MAX);
        assert!(pace.is_too_slow());
    }
}
