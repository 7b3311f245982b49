//! Connections that idle.

use std::time::Duration;

use standpipe_core::Deadline;
use tokio::time::Instant;

use super::{CloseReason, Effects, Handle, State, reason_of};

#[derive(Debug)]
pub(super) struct Idle<C> {
    pub(super) handle: C,
    pub(super) since: Instant,
}

/// What the timer of a connection is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sweep {
    /// It idled too long and was taken out.
    Expired,
    /// It cannot have idled too long before this time.
    CheckAt(Instant),
}

impl<C: Handle, P> State<C, P> {
    /// Whether connection `id`, at `now`, has idled for as long as it may.
    pub(crate) fn sweep(
        &mut self,
        id: u64,
        timeout: Duration,
        now: Instant,
        fx: &mut Effects<C, P>,
    ) -> Sweep {
        let idle = self.idle.iter().find(|idle| idle.handle.id() == id);
        let (since, timeout) = match (idle, self.streams.idle_since(id)) {
            (Some(idle), _) => (
                idle.since,
                idle.handle
                    .idle_timeout()
                    .map_or(timeout, |t| t.min(timeout)),
            ),
            (None, Some(since)) => (since, timeout),
            // In use: it comes back at `now` at the earliest.
            (None, None) => return Sweep::CheckAt(later(now, timeout)),
        };
        if now.saturating_duration_since(since) < timeout {
            return Sweep::CheckAt(later(since, timeout));
        }
        if self.is_at_minimum() {
            return Sweep::CheckAt(later(now, timeout));
        }
        self.take_out(id, CloseReason::IdleTimeout, fx);
        self.wake_watchers(fx);
        Sweep::Expired
    }

    /// Since when the origin's least recently used idle connection has idled.
    pub(crate) fn oldest_idle(&self) -> Option<Instant> {
        let exclusive = self.idle.front().map(|idle| idle.since);
        let shared = self.streams.oldest_idle().map(|(since, _)| since);
        match (exclusive, shared) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Closes the least recently used idle connection; returns its number.
    pub(crate) fn evict_oldest(
        &mut self,
        reason: CloseReason,
        fx: &mut Effects<C, P>,
    ) -> Option<u64> {
        let id = self.take_oldest(reason, fx)?;
        self.serve(fx);
        self.wake_watchers(fx);
        Some(id)
    }

    /// Closes all idle connections; returns how many.
    ///
    /// Those too whose exchange is over and whose driver has not seen it yet: they would idle in a
    /// moment. Where somebody waits they do not, as they are for the next in the queue.
    pub(crate) fn close_idle(&mut self, reason: CloseReason, fx: &mut Effects<C, P>) -> usize {
        let mut closed = std::iter::from_fn(|| self.evict_oldest(reason, fx)).count();
        if self.waiters.is_empty() && !self.settling.is_empty() {
            for handle in std::mem::take(&mut self.settling) {
                closed += 1;
                fx.shut(handle, reason);
            }
            self.wake_watchers(fx);
        }
        closed
    }

    pub(super) fn take_oldest(
        &mut self,
        reason: CloseReason,
        fx: &mut Effects<C, P>,
    ) -> Option<u64> {
        let exclusive = self.idle.front().map(|idle| (idle.since, idle.handle.id()));
        let shared = self.streams.oldest_idle();
        let (_, id) = match (exclusive, shared) {
            (Some(a), Some(b)) => {
                if a.0 <= b.0 {
                    a
                } else {
                    b
                }
            }
            (a, b) => a.or(b)?,
        };
        self.take_out(id, reason, fx);
        Some(id)
    }

    /// The index found this origin without idle connections and dropped its entry.
    pub(crate) fn unlist(&mut self) {
        self.listed = false;
    }
    pub(super) fn take_usable(&mut self, fx: &mut Effects<C, P>) -> Option<C> {
        while let Some(idle) = self.idle.pop_back() {
            fx.idle_change -= 1;
            if idle.handle.is_ready() && !idle.handle.is_spent() {
                return Some(idle.handle);
            }
            let reason = reason_of(&idle.handle);
            fx.shut(idle.handle, reason);
        }
        let (handle, idle_change) = self.streams.take()?;
        fx.idle_change += idle_change;
        Some(handle)
    }
    pub(super) fn push_idle(&mut self, handle: C, now: Instant, fx: &mut Effects<C, P>) {
        self.idle.push_back(Idle { handle, since: now });
        fx.idle_change += 1;
    }

    /// Closes what idles beyond the origin's limit and sees to it that the rest is in the index.
    pub(super) fn trim(&mut self, now: Instant, fx: &mut Effects<C, P>) {
        while self.idle.len() > self.limits.idle {
            if let Some(idle) = self.idle.pop_back() {
                fx.idle_change -= 1;
                fx.shut(idle.handle, CloseReason::IdleLimit);
            }
        }
        if !self.listed && (!self.idle.is_empty() || self.streams.idle_count() > 0) {
            self.listed = true;
            fx.list = Some(now);
        }
    }

    pub(super) fn take_out(&mut self, id: u64, reason: CloseReason, fx: &mut Effects<C, P>) {
        if let Some(at) = self.idle.iter().position(|idle| idle.handle.id() == id) {
            if let Some(idle) = self.idle.remove(at) {
                fx.idle_change -= 1;
                fx.shut(idle.handle, reason);
            }
        } else if let Some(at) = self.settling.iter().position(|c| c.id() == id) {
            fx.shut(self.settling.swap_remove(at), reason);
        } else {
            fx.idle_change += self.streams.remove(id, reason, fx);
        }
    }
}

/// `from` and `wait` later, however long that is.
fn later(from: Instant, wait: Duration) -> Instant {
    Deadline::after_instant(from, wait).instant()
}
