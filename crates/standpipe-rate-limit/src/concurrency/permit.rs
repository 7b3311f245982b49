use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// No limit at all.
pub(super) const UNLIMITED: usize = Semaphore::MAX_PERMITS;

/// The largest limit.
pub(super) const MAX_LIMIT: usize = UNLIMITED - 1;

/// The permits of one limit.
#[derive(Debug)]
pub(super) struct Permits {
    /// First in, first out; a waiter that goes away passes its permit on.
    pub(super) semaphore: Arc<Semaphore>,
    pub(super) limit: usize,
    pub(super) waiting: AtomicUsize,
}

/// The right of one request to be under way.
pub(super) type Permit = OwnedSemaphorePermit;

/// One in line.
#[derive(Debug)]
pub(super) struct InLine(Arc<Permits>);

impl Permits {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            semaphore: Arc::new(Semaphore::new(limit)),
            limit,
            waiting: AtomicUsize::new(0),
        }
    }

    pub(super) fn is_unlimited(&self) -> bool {
        self.limit == UNLIMITED
    }
}

impl InLine {
    pub(super) fn begin(permits: &Arc<Permits>) -> Self {
        permits.waiting.fetch_add(1, Ordering::Relaxed);
        Self(permits.clone())
    }

    pub(super) fn limit(&self) -> usize {
        self.0.limit
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
