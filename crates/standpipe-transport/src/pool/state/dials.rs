//! Dials under way, and what becomes of their errors.

use standpipe_core::Error;
use tokio::time::Instant;

use super::{Effects, Handle, Sharing, State};

#[derive(Debug)]
pub(super) struct Failure {
    error: Error,
    /// Who came before this serial number was there when the dial began.
    covers: u64,
    /// The dial stood for all of them, not for one.
    for_all: bool,
}

impl<C: Handle, P> State<C, P> {
    /// A dial ended well.
    pub(crate) fn dialed(
        &mut self,
        handle: C,
        sharing: Sharing,
        now: Instant,
        fx: &mut Effects<C, P>,
    ) {
        self.dialing -= 1;
        self.failures.clear();
        self.sharing = sharing;
        if self.closed || handle.is_spent() {
            fx.close.push(handle);
        } else if sharing == Sharing::Shared {
            self.streams.add(handle, now);
            fx.idle_change += 1;
        } else if !handle.is_ready() && !handle.settle() {
            self.settling.push(handle);
        } else {
            self.push_idle(handle, now, fx);
        }
        self.serve(fx);
        self.trim(now, fx);
    }

    /// A dial failed. `covers` is the serial number up to which waiters were there when it began.
    pub(crate) fn dial_failed(&mut self, error: Error, covers: u64, fx: &mut Effects<C, P>) {
        self.dialing -= 1;
        self.failures.push(Failure {
            error,
            covers,
            for_all: self.sharing != Sharing::Exclusive,
        });
        self.serve(fx);
    }

    /// The serial number that the next waiter will have.
    pub(crate) fn next_serial(&self) -> u64 {
        self.waiters.next_serial()
    }
    /// Hands dial errors out once nothing is left that could serve the waiters instead. The IO of
    /// a failed dial may outlive it, so this is asked again when a slot closes.
    pub(super) fn settle_failures(&mut self, fx: &mut Effects<C, P>) -> bool {
        // One for whom a dial failed and who went away must not keep others from dialling.
        let head = self.waiters.front_mut().map(|(ticket, _)| ticket.serial());
        self.failures
            .retain(|failure| head.is_some_and(|head| head < failure.covers));
        self.failures.truncate(self.waiters.len());
        let hoped_for = self.asking + usize::from(self.asked.is_some()) + self.spare.len();
        if self.failures.is_empty() || self.slots + self.dialing + hoped_for > 0 {
            return false;
        }
        for failure in std::mem::take(&mut self.failures) {
            self.fail_waiters(&failure, fx);
        }
        true
    }
    /// How many dials should begin beyond those under way.
    pub(super) fn dials_needed(&self) -> usize {
        let room = self.limits.connections.saturating_sub(self.slots);
        let unserved = self.waiters.len().saturating_sub(self.failures.len());
        match self.sharing {
            Sharing::Exclusive => unserved.saturating_sub(self.dialing).min(room),
            Sharing::Unknown | Sharing::Shared => {
                let under_way = self.dialing > 0 || self.streams.any_fresh();
                if under_way {
                    0
                } else {
                    unserved.min(room).min(1)
                }
            }
        }
    }

    pub(super) fn fail_waiters(&mut self, failure: &Failure, fx: &mut Effects<C, P>) {
        while let Some((ticket, _)) = self.waiters.front_mut() {
            if ticket.serial() >= failure.covers {
                break;
            }
            self.grant_head(Err(failure.error.clone()), fx);
            if !failure.for_all {
                break;
            }
        }
    }
}
