//! The permits that dials need: asked for, in hand and given back.

use standpipe_core::queue::Ticket;

use super::{Effects, Handle, State};

impl<C: Handle, P> State<C, P> {
    /// A permit that was asked for is there at once.
    pub(crate) fn permit_granted(&mut self, permit: P, fx: &mut Effects<C, P>) {
        self.asking -= 1;
        self.keep_permit(permit, fx);
    }

    /// A permit that was asked for has to be waited for, and with it all that were still to be
    /// asked for.
    pub(crate) fn permit_queued(&mut self, ticket: Ticket, asking: usize, fx: &mut Effects<C, P>) {
        self.asking -= asking;
        match self.early.iter().position(|early| *early == ticket) {
            Some(at) => {
                self.early.swap_remove(at);
            }
            // Another thread was faster; one place is enough.
            None if self.asked.is_some() => fx.withdraw.push(ticket),
            None => self.asked = Some(ticket),
        }
        if self.asking == 0 {
            self.early.clear();
        }
        self.serve(fx);
    }

    /// The line for permits has reached this origin.
    pub(crate) fn permit_arrived(&mut self, ticket: Ticket, permit: P, fx: &mut Effects<C, P>) {
        if self.asked == Some(ticket) {
            self.asked = None;
        } else if self.asking > 0 {
            // Perhaps of one who is about to note the place. Else it was given up meanwhile.
            self.early.push(ticket);
        }
        self.keep_permit(permit, fx);
    }

    fn keep_permit(&mut self, permit: P, fx: &mut Effects<C, P>) {
        self.spare.push(permit);
        self.plan(fx);
    }
    /// Asks for the permits that are missing, gives back those that are too many.
    pub(super) fn plan(&mut self, fx: &mut Effects<C, P>) {
        let needed = self.dials_needed();
        let coming = self.spare.len() + self.asking;
        if coming + usize::from(self.asked.is_some()) < needed {
            // Whoever stands in the line has asked for all there is: the next one is asked for
            // when this one has come.
            if self.asked.is_none() {
                self.asking += needed - coming;
                fx.ask += needed - coming;
            }
            return self.wake_dialer(fx);
        }
        // What is being asked for is planned again with the answer; until then nothing in hand is
        // given up, which may be the answer itself, come before the place was noted.
        if self.asking == 0 {
            let mut surplus = coming + usize::from(self.asked.is_some()) - needed;
            if surplus > 0 && self.asked.is_some() {
                fx.withdraw.extend(self.asked.take());
                surplus -= 1;
            }
            for _ in 0..surplus {
                fx.release.extend(self.spare.pop());
            }
        }
        self.wake_dialer(fx);
    }
    /// Has the first in the queue begin the dials that there are permits for. Whoever was woken for
    /// them before may have been served or have left since; and a dial is nobody's own, so a few
    /// more are woken than are needed, should the task of the first be busy with something else.
    pub(super) fn wake_dialer(&self, fx: &mut Effects<C, P>) {
        const MORE: usize = 3;
        if !self.spare.is_empty() {
            let first = self.waiters.iter().take(self.spare.len() + MORE);
            fx.wake
                .extend(first.filter_map(|waiter| waiter.waker.clone()));
        }
    }
}
