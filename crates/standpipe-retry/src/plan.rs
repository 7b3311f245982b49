//! When the next attempt is, and whether there is one.

use std::time::Duration;

use standpipe_core::{Deadline, Error, ErrorKind, RetryInfo};
use tokio::time::Instant;

use crate::{GiveUpReason, Jitter, RetryPolicy, TooLong};

/// How often a request is sent again at once because reused connections lost it: a pool may hold
/// several that its server has closed meanwhile. Beyond that it is a failure like any other.
const MOST_RESENDS: u32 = 8;

/// How far one request has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// Counted when they begin.
    pub(crate) attempts: u32,
    pub(crate) retries: u32,
    resends: u32,
    refused: bool,
    pub(crate) waited: Duration,
}

impl Progress {
    pub(crate) fn begun() -> Self {
        Self {
            attempts: 1,
            retries: 0,
            resends: 0,
            refused: false,
            waited: Duration::ZERO,
        }
    }

    pub(crate) fn info(&self) -> RetryInfo {
        RetryInfo::new(self.attempts, self.waited)
    }

    /// Whether one more may be sent at once after `error`, which calls for it; counts it.
    pub(crate) fn resend(&mut self, error: &Error) -> bool {
        // Who refuses a stream unread stands, and may refuse the next one: that is asked once. A
        // connection that has ended cannot be met again.
        let refused = error.kind() == ErrorKind::StreamReset;
        if self.resends == MOST_RESENDS || (refused && self.refused) {
            return false;
        }
        self.refused |= refused;
        self.resends += 1;
        true
    }

    pub(crate) fn retry(&mut self, delay: Duration) {
        self.retries += 1;
        self.waited = self.waited.saturating_add(delay);
    }
}

/// How long it is to be waited before another attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) delay: Duration,
    /// Whether the server asks for it.
    pub(crate) told: bool,
}

/// What bounds a retry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds<'a> {
    pub(crate) policy: &'a RetryPolicy,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) whole: bool,
    pub(crate) now: Instant,
}

/// The wait that the server asks for, with what keeps those who were told the same apart: it says
/// "now" to all at once.
pub(crate) fn asked(wait: Duration, policy: &RetryPolicy, chance: f64) -> Duration {
    if wait.is_zero() && policy.backoff.jitter != Jitter::None {
        policy
            .backoff
            .initial
            .min(Duration::from_secs(1))
            .mul_f64(0.1 * chance)
    } else {
        wait
    }
}

impl Bounds<'_> {
    /// How long to wait before the next attempt, or why there is none. The budget is not asked.
    pub(crate) fn plan(&self, progress: &Progress, wait: Wait) -> Result<Duration, GiveUpReason> {
        let policy = self.policy;
        if progress.retries >= policy.max_retries {
            return Err(GiveUpReason::Attempts);
        }
        if !self.whole {
            return Err(GiveUpReason::Body);
        }
        let Wait { delay, told } = wait;
        let delay = match policy.too_long {
            _ if !told || delay <= policy.max_retry_after => delay,
            TooLong::GiveUp => return Err(GiveUpReason::RetryAfter),
            TooLong::Clamp => policy.max_retry_after,
        };
        // An attempt that begins when its time is over is none.
        let ends = |deadline: Deadline| deadline.instant().saturating_duration_since(self.now);
        match self.deadline {
            Some(deadline) if ends(deadline) <= delay => Err(GiveUpReason::Deadline),
            _ => Ok(delay),
        }
    }
}
