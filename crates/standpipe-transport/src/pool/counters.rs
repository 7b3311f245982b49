//! What requests count without the lock of their origin.

use std::time::Duration;

use standpipe_core::sync::atomic::{AtomicU64, Ordering};

/// Running totals; each is exact, but two of them are not read at one moment.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    reused: AtomicU64,
    wait_nanos: AtomicU64,
    resent: AtomicU64,
}

/// [`Counters`] as read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) requests: u64,
    pub(crate) reused: u64,
    pub(crate) wait_time: Duration,
    pub(crate) resent: u64,
}

impl Counters {
    pub(crate) fn sent(&self, reused: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if reused {
            self.reused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A wait ended with a connection.
    pub(crate) fn add_wait(&self, wait: Duration) {
        let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        self.wait_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn resent(&self) {
        self.resent.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Totals {
        Totals {
            requests: self.requests.load(Ordering::Relaxed),
            reused: self.reused.load(Ordering::Relaxed),
            wait_time: Duration::from_nanos(self.wait_nanos.load(Ordering::Relaxed)),
            resent: self.resent.load(Ordering::Relaxed),
        }
    }
}
