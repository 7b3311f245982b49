//! The state machine's operations, each with its effects carried out.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Fx, Locked, OriginPool};

impl OriginPool {
    pub(super) fn with<R>(
        self: &Arc<Self>,
        operation: impl FnOnce(&mut Locked, &mut Fx) -> R,
    ) -> R {
        let mut fx = Fx::default();
        let result = operation(&mut self.state.lock(), &mut fx);
        self.apply(fx);
        result
    }

    /// Carries out what an operation left to do. Asking for permits may leave more to do.
    fn apply(self: &Arc<Self>, fx: Fx) {
        let mut next = Some(fx);
        while let Some(fx) = next.take() {
            if fx.idle_change != 0 {
                self.shared.index.add(fx.idle_change);
            }
            if let Some(since) = fx.list {
                self.shared.index.push(since, Arc::downgrade(self));
            }
            for ticket in fx.withdraw {
                self.shared.total.withdraw(ticket);
            }
            for waker in fx.wake {
                waker.wake();
            }
            drop(fx.close);
            drop((fx.spent, fx.errors));
            if !fx.release.is_empty() {
                // A shutdown may have taken them for dials about to begin: it looks again.
                let _bell = self.shared.alive.enter();
                drop(fx.release);
            }
            if fx.ask > 0 {
                next = Some(self.ask(fx.ask));
            }
        }
    }

    fn ask(self: &Arc<Self>, permits: usize) -> Fx {
        let mut fx = Fx::default();
        // The head's time is the claim's: origins are served in the order of their waiters.
        let since = self.state.lock().head_since().unwrap_or_else(Instant::now);
        for left in (1..=permits).rev() {
            match self.shared.total.request(self, since) {
                Ok(permit) => self.state.lock().permit_granted(permit, &mut fx),
                Err(ticket) => {
                    self.state.lock().permit_queued(ticket, left, &mut fx);
                    self.shared.rebalance();
                    break;
                }
            }
        }
        fx
    }
}
