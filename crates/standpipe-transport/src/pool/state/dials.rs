//! Dials under way, and what becomes of their errors.
//!
//! Those that were under way when one of them failed are a round: its errors are kept until the last
//! of them has ended, for that one may serve the waiters. A dial that begins later belongs to the
//! next round, so a round ends however many keep arriving. Nobody bears more than two failed rounds.

use standpipe_core::Error;
use tokio::time::Instant;

use super::{CloseReason, Effects, Handle, Link, Sharing, State};

/// What a dial knows of itself, and says again when it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DialTag {
    /// Who came before this serial number was there when it began.
    covers: u64,
    round: u64,
    /// It begins after a pause, for one has just failed.
    pub(crate) pauses: bool,
}

/// The dials under way and their failures.
#[derive(Debug, Default)]
pub(super) struct Dials {
    /// The number of the round that new dials belong to; the one before may be under way still.
    number: u64,
    open: Round,
    /// A round in which one has failed.
    closed: Round,
    /// Who has a smaller serial number has borne a failed round.
    seen: u64,
    /// The last round failed while connections were in use: one dial at a time, after a pause.
    pub(super) pausing: bool,
}

#[derive(Debug, Default)]
struct Round {
    under_way: usize,
    failed: Vec<Failure>,
}

#[derive(Debug)]
struct Failure {
    error: Error,
    covers: u64,
    /// The dial stood for all of them, not for one.
    for_all: bool,
}

impl Dials {
    pub(super) fn under_way(&self) -> usize {
        self.open.under_way + self.closed.under_way
    }

    /// Errors that are kept until it is known whether another dial serves.
    pub(super) fn kept(&self) -> usize {
        self.open.failed.len() + self.closed.failed.len()
    }

    /// Who came before this serial number is concerned by an error that is kept.
    fn last_covered(&self) -> Option<u64> {
        let kept = self.open.failed.iter().chain(&self.closed.failed);
        kept.map(|failure| failure.covers).max()
    }

    fn begin(&mut self, covers: u64) -> DialTag {
        self.open.under_way += 1;
        DialTag {
            covers,
            round: self.number,
            pauses: self.pausing,
        }
    }

    fn end(&mut self, tag: DialTag) -> &mut Round {
        let round = if tag.round == self.number {
            &mut self.open
        } else {
            &mut self.closed
        };
        round.under_way -= 1;
        round
    }

    /// A dial worked: what failed before says nothing any more.
    fn succeeded(&mut self, tag: DialTag, stale: &mut Vec<Error>) {
        self.end(tag);
        self.forget(None, stale);
        self.seen = 0;
        self.pausing = false;
    }

    /// One for whom a dial failed and who went away must not keep others from dialling.
    fn forget(&mut self, head: Option<u64>, stale: &mut Vec<Error>) {
        for round in [&mut self.open, &mut self.closed] {
            let of_no_use = |failure: &mut Failure| head.is_none_or(|head| head >= failure.covers);
            let forgotten = round.failed.extract_if(.., of_no_use);
            stale.extend(forgotten.map(|failure| failure.error));
        }
        self.pausing &= head.is_some();
    }

    /// The failures of a round that is over.
    fn take_failed(&mut self) -> Vec<Failure> {
        if self.closed.under_way == 0
            && self.closed.failed.is_empty()
            && !self.open.failed.is_empty()
        {
            std::mem::swap(&mut self.open, &mut self.closed);
            self.number += 1;
        }
        if self.closed.under_way > 0 {
            return Vec::new();
        }
        std::mem::take(&mut self.closed.failed)
    }
}

impl<C: Handle, P> State<C, P> {
    /// Begins the dial of a waiter.
    pub(super) fn begin_dial(&mut self) -> DialTag {
        self.slots += 1;
        self.dials.begin(self.waiters.next_serial())
    }

    /// Begins a dial that nobody waits for. Its failure concerns no waiter.
    pub(super) fn begin_spare_dial(&mut self) -> DialTag {
        self.slots += 1;
        self.dials.begin(0)
    }

    /// A dial ended well. False when the connection has ended since.
    pub(crate) fn dialed(
        &mut self,
        handle: C,
        tag: DialTag,
        sharing: Sharing,
        now: Instant,
        fx: &mut Effects<C, P>,
    ) -> bool {
        self.dials.succeeded(tag, &mut fx.errors);
        self.sharing = sharing;
        self.totals.created += 1;
        let link = handle.link().clone();
        // Its IO tells of its end after it is gone, and finds the connection listed or it is not
        // listed at all.
        let alive = !link.is_gone();
        if alive {
            self.live.push(link);
        } else {
            self.totals.count_closed(link.end_reason());
        }
        if self.closed {
            fx.shut(handle, CloseReason::Shutdown);
        } else if handle.is_spent() {
            fx.shut(handle, CloseReason::Peer);
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
        self.wake_watchers(fx);
        alive
    }

    /// A dial failed.
    pub(crate) fn dial_failed(&mut self, error: Error, tag: DialTag, fx: &mut Effects<C, P>) {
        let for_all = self.sharing != Sharing::Exclusive;
        if !self.closed {
            self.totals.dial_failures += 1;
        }
        self.fail_watchers(&error);
        let round = self.dials.end(tag);
        round.failed.push(Failure {
            error,
            covers: tag.covers,
            for_all,
        });
        self.serve(fx);
        self.wake_watchers(fx);
    }

    /// A dial failed for a reason that was removed: it begins again, after a pause.
    pub(crate) fn dial_again(&mut self, tag: DialTag, fx: &mut Effects<C, P>) {
        self.totals.dial_failures += 1;
        self.dials.pausing = true;
        self.dial_abandoned(tag, fx);
    }

    /// A dial ended without news for anybody.
    pub(crate) fn dial_abandoned(&mut self, tag: DialTag, fx: &mut Effects<C, P>) {
        self.dials.end(tag);
        self.serve(fx);
        self.wake_watchers(fx);
    }

    /// Whether a dial that has paused is still of use.
    pub(crate) fn wants_dial(&self) -> bool {
        !self.closed && !self.waiters.is_empty()
    }

    /// Hands the errors of a round out once no other dial of it can serve the waiters instead.
    pub(super) fn settle_failures(&mut self, fx: &mut Effects<C, P>) {
        loop {
            let head = self.waiters.front_mut().map(|(ticket, _)| ticket.serial());
            self.dials.forget(head, &mut fx.errors);
            let failed = self.dials.take_failed();
            let Some(last) = failed.last() else {
                return;
            };
            while self.head_is_before(self.dials.seen) {
                self.grant_head(Err(last.error.clone()), fx);
            }
            // A connection in use may come back before another dial has ended. It may also never do
            // so; hence the two rounds at most.
            let alone = self.live.is_empty();
            if alone {
                for failure in &failed {
                    self.fail_waiters(failure, fx);
                }
            }
            let covered = failed.iter().map(|failure| failure.covers).max();
            self.dials.seen = self.dials.seen.max(covered.unwrap_or(0));
            self.dials.pausing = !alone;
            fx.errors.extend(failed.into_iter().map(|f| f.error));
        }
    }

    /// How many dials should begin beyond those under way.
    pub(super) fn dials_needed(&self) -> usize {
        let under_way = self.dials.under_way();
        // The IO of a dial may be gone before the dial has told that it failed.
        let taken = self.slots.max(self.live.len() + under_way);
        let room = self.limits.connections.saturating_sub(taken);
        let unserved = self.waiters.len().saturating_sub(self.failures_due());
        let needed = match self.sharing {
            Sharing::Exclusive if !self.dials.pausing => unserved.saturating_sub(under_way),
            _ if under_way > 0 || self.streams.any_fresh() => 0,
            _ => unserved.min(1),
        };
        needed.min(room)
    }

    /// How many of the errors kept somebody will be given, should no other dial serve. One who went
    /// away leaves more errors than there are waiters for them.
    pub(super) fn failures_due(&self) -> usize {
        match self.dials.last_covered() {
            Some(last) => {
                let tickets = self.waiters.tickets();
                let covered = tickets.filter(|(ticket, _)| ticket.serial() < last);
                covered.take(self.dials.kept()).count()
            }
            None => 0,
        }
    }

    fn head_is_before(&mut self, serial: u64) -> bool {
        let head = self.waiters.front_mut();
        head.is_some_and(|(ticket, _)| ticket.serial() < serial)
    }

    fn fail_waiters(&mut self, failure: &Failure, fx: &mut Effects<C, P>) {
        while self.head_is_before(failure.covers) {
            self.grant_head(Err(failure.error.clone()), fx);
            if !failure.for_all {
                break;
            }
        }
    }
}
