//! Counters that most hosts never need, or that are not written by each request. All threads write them.

use std::time::Duration;

use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicU64, Ordering};

use super::add;
use super::histogram::{Distribution, Histogram};
use crate::label::ErrorType;

/// Requests and attempts that ended in an error, by its kind.
#[derive(Debug)]
pub(crate) struct Errors {
    requests: [AtomicU64; ErrorType::COUNT],
    attempts: [AtomicU64; ErrorType::COUNT],
}

impl Errors {
    pub(crate) fn new() -> Self {
        Self {
            requests: std::array::from_fn(|_| AtomicU64::new(0)),
            attempts: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    pub(crate) fn count(&self, attempt: bool, error: ErrorType) {
        add(&self.of(attempt)[error.index()], 1, false);
    }

    /// The kinds that occurred, with how often.
    pub(crate) fn read(&self, attempt: bool) -> impl Iterator<Item = (ErrorType, u64)> + '_ {
        ErrorType::all()
            .zip(self.of(attempt))
            .map(|(error, n)| (error, n.load(Ordering::Acquire)))
            .filter(|(_, n)| *n > 0)
    }

    fn of(&self, attempt: bool) -> &[AtomicU64; ErrorType::COUNT] {
        if attempt {
            &self.attempts
        } else {
            &self.requests
        }
    }
}

/// Connections, and the wait for them.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) opened: AtomicU64,
    pub(crate) lifetime_nanos: AtomicU64,
    pub(crate) dial_failures: AtomicU64,
    /// What came into a state and what left it: each rises alone, so that the difference of the two
    /// is never torn.
    pub(crate) entered: [AtomicU64; 2],
    pub(crate) left: [AtomicU64; 2],
    pub(crate) waited_nanos: AtomicU64,
    waits: Histogram,
    closed: Mutex<Vec<(&'static str, u64)>>,
}

impl Connections {
    pub(crate) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            opened: zero(),
            lifetime_nanos: zero(),
            dial_failures: zero(),
            entered: [zero(), zero()],
            left: [zero(), zero()],
            waited_nanos: zero(),
            waits: Histogram::new(),
            closed: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn waited(&self, wait: Duration) {
        let nanos = nanos(wait);
        add(&self.waited_nanos, nanos, false);
        self.waits.record(nanos, false);
    }

    pub(crate) fn add_waits_to(&self, waits: &mut Distribution) {
        waits.add(&self.waits);
    }

    pub(crate) fn count_closed(&self, reason: &'static str, lifetime: Duration) {
        add(&self.lifetime_nanos, nanos(lifetime), false);
        let mut closed = self.closed.lock();
        match closed.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, n)) => *n += 1,
            None => closed.push((reason, 1)),
        }
    }

    pub(crate) fn closed(&self) -> Vec<(&'static str, u64)> {
        self.closed.lock().clone()
    }

    /// How many are in `state` now. A connection may be told to have left before it is told to have
    /// come, by another thread.
    pub(crate) fn now(&self, state: usize) -> u64 {
        let left = self.left[state].load(Ordering::Acquire);
        self.entered[state]
            .load(Ordering::Acquire)
            .saturating_sub(left)
    }
}

/// Retry, circuit breaker and rate limit.
#[derive(Debug)]
pub(crate) struct Resilience {
    pub(crate) retried: AtomicU64,
    pub(crate) given_up: AtomicU64,
    /// The budget as the bits of an `f64`; those of a NaN while it is not known.
    pub(crate) budget: AtomicU64,
    /// The breaker's state as its number plus one; 0 while it is not known.
    pub(crate) breaker: AtomicU64,
    pub(crate) breaker_opened: AtomicU64,
    pub(crate) breaker_transitions: AtomicU64,
    pub(crate) limiter_waits: AtomicU64,
    pub(crate) limiter_waited_nanos: AtomicU64,
    pub(crate) limiter_rejections: AtomicU64,
    pub(crate) limiter_pauses: AtomicU64,
}

impl Resilience {
    pub(crate) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            retried: zero(),
            given_up: zero(),
            budget: AtomicU64::new(f64::NAN.to_bits()),
            breaker: zero(),
            breaker_opened: zero(),
            breaker_transitions: zero(),
            limiter_waits: zero(),
            limiter_waited_nanos: zero(),
            limiter_rejections: zero(),
            limiter_pauses: zero(),
        }
    }
}

/// Adds one for everybody.
pub(crate) fn count(cell: &AtomicU64) {
    add(cell, 1, false);
}

/// Adds a time for everybody.
pub(crate) fn count_time(cell: &AtomicU64, time: Duration) {
    add(cell, nanos(time), false);
}

/// The nanoseconds of a duration; 584 years for a longer one.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
