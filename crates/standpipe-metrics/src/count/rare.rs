//! Counters that most hosts never need, or that are not written by each request. All threads write them.

use std::sync::OnceLock;
use std::time::Duration;

use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicU64, Ordering};

use super::add;
use super::histogram::{Distribution, Histogram, Tables, Took};
use crate::label::ErrorType;
use crate::recorder::Scope;

/// Connections, and the wait for them.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) opened: AtomicU64,
    pub(crate) dial_failures: AtomicU64,
    /// What came into a state and what left it: each rises alone, so that the difference of the two
    /// is never torn.
    pub(crate) entered: [AtomicU64; 2],
    pub(crate) left: [AtomicU64; 2],
    waits: OnceLock<Box<Waits>>,
    closed: OnceLock<Box<Closed>>,
}

/// Requests that waited for a connection.
#[derive(Debug)]
struct Waits {
    nanos: AtomicU64,
    histogram: Histogram,
    tables: Tables,
}

/// Connections that are no more.
#[derive(Debug, Default)]
struct Closed {
    lifetime_nanos: AtomicU64,
    reasons: Mutex<Vec<(&'static str, u64)>>,
}

impl Connections {
    pub(crate) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            opened: zero(),
            dial_failures: zero(),
            entered: [zero(), zero()],
            left: [zero(), zero()],
            waits: OnceLock::new(),
            closed: OnceLock::new(),
        }
    }

    pub(crate) fn waited(&self, wait: Duration) {
        let wait = Took::of(wait);
        let waits = self.waits.get_or_init(|| {
            Box::new(Waits {
                nanos: AtomicU64::new(0),
                histogram: Histogram::new(),
                tables: Tables::new(),
            })
        });
        add(&waits.nanos, wait.nanos, false);
        waits.histogram.record(wait, false, &waits.tables, 0);
    }

    /// Adds the waits to `all`; gives the nanoseconds of their sum.
    pub(crate) fn add_waits_to(&self, all: &mut Distribution) -> u64 {
        let Some(waits) = self.waits.get() else {
            return 0;
        };
        all.add(&waits.histogram, &waits.tables, 0);
        waits.nanos.load(Ordering::Acquire)
    }

    pub(crate) fn count_closed(&self, reason: &'static str, lifetime: Duration) {
        let closed = self.closed.get_or_init(Box::default);
        add(&closed.lifetime_nanos, nanos(lifetime), false);
        let mut closed = closed.reasons.lock();
        match closed.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, n)) => *n += 1,
            None => closed.push((reason, 1)),
        }
    }

    /// How many were closed, by reason, and the nanoseconds that they lived.
    pub(crate) fn closed(&self) -> (Vec<(&'static str, u64)>, u64) {
        let Some(closed) = self.closed.get() else {
            return (Vec::new(), 0);
        };
        let lived = closed.lifetime_nanos.load(Ordering::Acquire);
        (closed.reasons.lock().clone(), lived)
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

/// Errors, retry, circuit breaker and rate limit.
#[derive(Debug)]
pub(crate) struct Rare {
    /// Requests, and attempts, that ended in an error, by its kind.
    errors: [[AtomicU64; ErrorType::COUNT]; 2],
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

impl Rare {
    pub(crate) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            errors: std::array::from_fn(|_| std::array::from_fn(|_| zero())),
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

impl Rare {
    pub(crate) fn count_error(&self, scope: Scope, error: ErrorType) {
        add(&self.errors[scope as usize][error.index()], 1, false);
    }

    /// The kinds of error that occurred, with how often.
    pub(crate) fn errors(&self, scope: Scope) -> impl Iterator<Item = (ErrorType, u64)> + '_ {
        ErrorType::all()
            .zip(&self.errors[scope as usize])
            .map(|(error, n)| (error, n.load(Ordering::Acquire)))
            .filter(|(_, n)| *n > 0)
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

/// The nanoseconds of a duration, a year for a longer one: a sum has room for some hundred years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    const MOST: u64 = 365 * 24 * 60 * 60;
    duration.as_secs().min(MOST) * 1_000_000_000 + u64::from(duration.subsec_nanos())
}
