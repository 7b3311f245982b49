//! What the tests look at inside.

use tokio::time::Instant;

use super::{Handle, Idle, State, StateTotals};

#[derive(Debug)]
pub(in crate::pool) struct Audit {
    /// Since when those wait who were not served, in the queue's order.
    pub(in crate::pool) waiting: Vec<Instant>,
    /// Idle connections that could serve a request.
    pub(in crate::pool) usable: usize,
    /// Idle connections as `Effects::idle_change` counts them.
    pub(in crate::pool) idle: usize,
    pub(in crate::pool) slots: usize,
    pub(in crate::pool) dialing: usize,
    pub(in crate::pool) spare: usize,
    pub(in crate::pool) asked: usize,
    pub(in crate::pool) failures: usize,
    pub(in crate::pool) live: usize,
    pub(in crate::pool) totals: StateTotals,
}

impl<C: Handle, P> State<C, P> {
    pub(in crate::pool) fn audit(&mut self) -> Audit {
        let ready = |idle: &&Idle<C>| idle.handle.is_ready() && !idle.handle.is_spent();
        let usable = self.idle.iter().filter(ready).count();
        Audit {
            waiting: self.waiters.iter().map(|waiter| waiter.since).collect(),
            usable: usable + usize::from(self.streams.any_room()),
            idle: self.idle(),
            slots: self.slots,
            dialing: self.dials.under_way(),
            spare: self.spare.len(),
            asked: usize::from(self.asked.is_some()) + self.asking,
            failures: self.failures_due(),
            live: self.live.len(),
            totals: self.totals,
        }
    }
}
