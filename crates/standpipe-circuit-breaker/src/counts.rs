use standpipe_core::Outcome;
use standpipe_core::sync::atomic::{AtomicU64, Ordering};

use crate::machine::Recorded;

/// What a breaker has seen since it was made.
///
/// Each number is exact; all together are not of one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Calls that succeeded; None where they are not counted, see
    /// [`count_successes`](crate::CircuitBreakerConfig::count_successes).
    pub successes: Option<u64>,
    /// Calls that failed: judged so, panicked, or dropped late enough to count as timed out.
    pub failures: u64,
    /// Calls that said nothing: judged so, or dropped.
    pub ignored: u64,
    /// Calls that were refused.
    pub rejected: u64,
    /// Calls whose result came too late to mean anything, whatever it was: the breaker had
    /// changed its state meanwhile, or their place as a probe had gone to another one.
    pub late: u64,
    /// How often the state changed.
    pub transitions: u64,
}

/// The counts while they are counted.
#[derive(Debug)]
pub(crate) struct Counters {
    with_successes: bool,
    successes: AtomicU64,
    failures: AtomicU64,
    ignored: AtomicU64,
    rejected: AtomicU64,
    late: AtomicU64,
    transitions: AtomicU64,
}

impl Counters {
    pub(crate) fn new(with_successes: bool) -> Self {
        Self {
            with_successes,
            successes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            ignored: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            late: AtomicU64::new(0),
            transitions: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn recorded(&self, recorded: Recorded) {
        match recorded {
            Recorded::As(Outcome::Success) => {
                if self.with_successes {
                    increment(&self.successes);
                }
            }
            Recorded::As(Outcome::Failure) => increment(&self.failures),
            Recorded::As(Outcome::Ignored) => increment(&self.ignored),
            Recorded::Late => increment(&self.late),
        }
    }

    pub(crate) fn rejected(&self) {
        increment(&self.rejected);
    }

    pub(crate) fn changed_state(&self) {
        increment(&self.transitions);
    }

    pub(crate) fn snapshot(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            successes: self.with_successes.then(|| read(&self.successes)),
            failures: read(&self.failures),
            ignored: read(&self.ignored),
            rejected: read(&self.rejected),
            late: read(&self.late),
            transitions: read(&self.transitions),
        }
    }
}

fn increment(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
