//! What the user orders, at random.

use super::super::state::{Limits, Link as _};
use super::{Dial, Run};
use crate::events::CloseReason;

impl Run {
    /// `evict` and `close_idle_of`.
    pub(super) fn evicts(&mut self) {
        let unit = self.world.unit(self.world.below(self.protocols.len()));
        let reason = CloseReason::Evicted;
        if self.world.below(2) == 0 {
            self.note(format!("origin {}: its idle ones close", unit.number));
            unit.with(|state, fx| state.close_idle(reason, fx));
            return;
        }
        self.note(format!("origin {} is evicted", unit.number));
        let links = unit.state.lock().links();
        for link in links {
            unit.with(|state, fx| state.retire(link.id(), reason, fx));
        }
    }

    /// `set_limits`, in the order of `Shared`: the limit in all, then that of each origin.
    pub(super) fn sets_limits(&mut self) {
        let world = self.world.clone();
        let max = (world.below(3) > 0).then(|| 1 + world.below(6));
        let connections = 1 + world.below(5);
        let limits = Limits {
            connections,
            idle: world.below(connections + 1),
            waiting: [3, 8, usize::MAX][world.below(3)],
            min_idle: world.below(3),
        };
        self.note(format!("limits: {max:?} in all, {limits:?} each"));
        *world.max_idle.lock() = 1 + world.below(6);
        world.total.set_max(max);
        let now = world.now();
        let units = world.units.lock().clone();
        for unit in units {
            *unit.limits.lock() = limits;
            unit.with(|state, fx| state.set_limits(limits, now, fx));
        }
        world.rebalance();
    }

    /// `warm` and `min_idle`: a dial that nobody waits for.
    pub(super) fn dials_ahead(&mut self) {
        let number = self.world.below(self.protocols.len());
        let unit = self.world.unit(number);
        let Some(permit) = self.world.total.try_request(&unit) else {
            return;
        };
        let used = unit.state.lock().use_permit(permit);
        // A permit that is of no use goes back once the lock is free.
        if let Ok((permit, tag)) = used {
            self.note(format!("origin {number}: a dial ahead"));
            self.dials.push(Dial {
                unit: number,
                permit,
                tag,
            });
        }
    }
}
