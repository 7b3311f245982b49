use std::num::NonZeroUsize;
use std::sync::Arc;

use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// The permits of one limit.
#[derive(Debug)]
pub(super) struct Permits {
    /// First in, first out; a waiter that goes away passes its permit on. It forgets what it gives,
    /// so that [`Permit`] alone gives back.
    semaphore: Semaphore,
    limits: Mutex<Limits>,
    /// So many permits are not given back, as the limit became lower while they were out.
    debt: AtomicUsize,
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct Limits {
    now: usize,
    /// What the settings had last; the one in force may have been set by hand since.
    configured: usize,
}

/// The right of one request to be under way. It goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<Permits>);

/// One in line.
#[derive(Debug)]
pub(super) struct InLine(Arc<Permits>);

impl Permits {
    pub(super) fn new(limit: NonZeroUsize) -> Self {
        let limit = most(limit);
        Self {
            semaphore: Semaphore::new(limit),
            limits: Mutex::new(Limits {
                now: limit,
                configured: limit,
            }),
            debt: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limits.lock().now
    }

    pub(super) fn in_flight(&self) -> usize {
        let all = self.limit() + self.debt.load(Ordering::Relaxed);
        all.saturating_sub(self.semaphore.available_permits())
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Sets another limit. A lower one holds once as many requests have ended as are too many.
    pub(super) fn set_limit(&self, limit: NonZeroUsize) {
        let new = most(limit);
        let old = std::mem::replace(&mut self.limits.lock().now, new);
        self.shift(old, new);
    }

    /// Sets the limit of the settings, where they had another before.
    pub(super) fn configure(&self, limit: NonZeroUsize) {
        let new = most(limit);
        let old = {
            let mut limits = self.limits.lock();
            if limits.configured == new {
                return;
            }
            limits.configured = new;
            std::mem::replace(&mut limits.now, new)
        };
        self.shift(old, new);
    }

    /// Without the lock, as those who wait are woken. The order of two shifts makes no difference.
    fn shift(&self, old: usize, new: usize) {
        match old.checked_sub(new) {
            Some(fewer) => {
                let forgotten = self.semaphore.forget_permits(fewer);
                self.debt.fetch_add(fewer - forgotten, Ordering::Relaxed);
            }
            None => self.give_back(new - old),
        }
    }

    pub(super) fn try_take(self: &Arc<Self>) -> Option<Permit> {
        self.semaphore.try_acquire().ok()?.forget();
        Some(Permit(Arc::clone(self)))
    }

    /// Waits for a permit. `None` would be that of a closed semaphore, which this one never is.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives its place, or the permit, to the next.
    pub(super) async fn take(self: Arc<Self>) -> Option<Permit> {
        self.semaphore.acquire().await.ok()?.forget();
        Some(Permit(self))
    }

    fn give_back(&self, permits: usize) {
        let pay = |debt: usize| (debt > 0).then(|| debt.saturating_sub(permits));
        let (set, seen) = (Ordering::Relaxed, Ordering::Relaxed);
        let debt = self.debt.fetch_update(set, seen, pay).unwrap_or(0);
        self.semaphore.add_permits(permits.saturating_sub(debt));
    }
}

fn most(limit: NonZeroUsize) -> usize {
    limit.get().min(Semaphore::MAX_PERMITS)
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.give_back(1);
    }
}

impl InLine {
    pub(super) fn begin(permits: &Arc<Permits>) -> Self {
        permits.waiting.fetch_add(1, Ordering::Relaxed);
        Self(permits.clone())
    }

    pub(super) fn limit(&self) -> usize {
        self.0.limit()
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
