use std::time::Duration;

use standpipe_core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::time::Instant;

/// The time as nanoseconds since the router was made, and when to look for idle hosts next.
///
/// All of it is read on every request and hardly ever written.
#[derive(Debug)]
pub(crate) struct Clock {
    epoch: Instant,
    sweep_at: AtomicU64,
    sweep_due: AtomicBool,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            sweep_at: AtomicU64::new(u64::MAX),
            sweep_due: AtomicBool::new(false),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        nanos(self.epoch.elapsed())
    }

    /// Reads the time at the end of a request: the one reading that a request costs. It also
    /// tells a later call that a sweep is due, since the end of a future is no place for one.
    pub(crate) fn end_of_request(&self) -> u64 {
        let now = self.now();
        if now >= self.sweep_at.load(Ordering::Relaxed) {
            self.sweep_due.store(true, Ordering::Relaxed);
        }
        now
    }

    /// Whether a sweep is due; true for one caller alone.
    pub(crate) fn take_due(&self) -> bool {
        self.sweep_due.load(Ordering::Relaxed) && self.sweep_due.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn sweep_at(&self, at: u64) {
        self.sweep_at.store(at, Ordering::Relaxed);
    }
}

/// A duration in the clock's unit; 584 years at most.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
