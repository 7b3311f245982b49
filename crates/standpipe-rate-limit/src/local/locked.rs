//! What is done under the lock.

use std::task::Waker;

use standpipe_core::queue::Ticket;
use standpipe_core::sync::MutexGuard;
use standpipe_core::sync::atomic::Ordering;

use super::line::{Bucket, Line, State, Waiter, succeed};
use super::{Joined, Local, SLOW, Turn};
use crate::gcra::{Pace, take};
use crate::{Quota, Unit};

/// The limiter while one holds its lock.
pub(super) struct Locked<'a> {
    pub(super) local: &'a Local,
    pub(super) line: MutexGuard<'a, Line>,
    pub(super) first: Bucket,
    pub(super) now: u64,
    pub(super) wake: Vec<Waker>,
    /// A waker to be dropped after the lock: with it may go the last of a task, and that task's own
    /// place in this line.
    pub(super) stale: Option<Waker>,
    /// The turn of the head of the line, or [`NOBODY`], where the line was served and has not
    /// changed since.
    pub(super) served: Option<u64>,
}

/// The turn of the head of an empty line.
const NOBODY: u64 = u64::MAX;

impl Locked<'_> {
    pub(super) fn join(&mut self, cost: u32, give_up: u64) -> Joined {
        let own = [1, u64::from(cost)];
        // Those before this one have their turns first.
        let head = self.serve();
        if self.line.queue.is_empty() && self.due(own, own) <= self.now {
            self.charge(own);
            return Joined::Admitted;
        }
        let end = [0, 1].map(|unit| self.line.entered[unit] + own[unit]);
        let waiter = Waiter::new(own, end, give_up);
        let due = self.due_in_line(&waiter);
        let wait = due - self.now;
        if due > give_up {
            return Joined::TooLong(wait);
        }
        if self.line.queue.len() >= self.line.max_waiting {
            return Joined::Full(wait);
        }
        self.line.entered = end;
        // One more at the end changes nothing before it.
        self.served = Some(if head == NOBODY { due } else { head });
        Joined::Waiting(self.line.queue.push(waiter), wait)
    }

    pub(super) fn poll(&mut self, ticket: Ticket, waker: &Waker) -> Turn {
        // Who asks is awake: if its turn has come, it must not be woken once more for it.
        let known = self.line.queue.get_mut(ticket);
        let known = known.and_then(|waiter| waiter.waker.take());
        let head = self.serve();
        let Some(waiter) = self.line.queue.get_mut(ticket) else {
            // It was told that its wait is hopeless and its place is gone.
            let wait = self.line.pause_until.saturating_sub(self.now);
            return Turn::TooLong(wait);
        };
        if waiter.state == State::Served {
            self.line.queue.remove(ticket);
            self.stale = known;
            self.served = Some(head);
            return Turn::Admitted;
        }
        let (figures, give_up) = (waiter.figures(), waiter.give_up);
        let due = self.due_in_line(&figures);
        if give_up <= self.now {
            self.line.queue.remove(ticket);
            self.stale = known;
            return Turn::TooLong(due - self.now);
        }
        let at = due.min(give_up);
        if let Some(waiter) = self.line.queue.get_mut(ticket) {
            waiter.rings_at = at;
            waiter.waker = match known {
                Some(known) if known.will_wake(waker) => Some(known),
                other => {
                    self.stale = other;
                    Some(waker.clone())
                }
            };
        }
        self.served = Some(head);
        Turn::Wait(at)
    }

    pub(super) fn leave(&mut self, ticket: Ticket) {
        let Some(waiter) = self.line.queue.remove(ticket) else {
            return;
        };
        self.stale = waiter.waker;
        if waiter.state == State::Served {
            self.give_back(waiter.own);
        }
    }

    pub(super) fn settle(&mut self, units: i64) {
        let (now, amount) = (self.now, units.unsigned_abs());
        let apply = |tat: &mut u64, pace: Pace| {
            let time = pace.time_of(amount);
            *tat = match units < 0 {
                true => tat.saturating_sub(time),
                false => take(*tat, now, time),
            };
        };
        if self.first.unit == Unit::Cost {
            apply(&mut self.first.tat, self.first.pace);
        }
        for bucket in &mut self.line.others {
            if bucket.unit == Unit::Cost {
                apply(&mut bucket.tat, bucket.pace);
            }
        }
    }

    pub(super) fn set_quotas(&mut self, quotas: &[(Quota, Unit)]) {
        let buckets = quotas.iter().map(|&(quota, unit)| Bucket::new(quota, unit));
        let mut known: Vec<_> = self.buckets().map(Some).collect();
        let buckets = succeed(buckets.collect(), &mut known, self.begin());
        self.set_buckets(buckets);
    }

    pub(super) fn pause(&mut self, until: u64) {
        let begin = self.begin();
        let Some(longer) = until.checked_sub(begin).filter(|&longer| longer > 0) else {
            return;
        };
        self.line.pause_until = until;
        // Time in which nothing may go out earns no credit: after the pause there is no more than
        // there was before it.
        self.first.tat = take(self.first.tat, self.now, longer);
        let now = self.now;
        for bucket in &mut self.line.others {
            bucket.tat = take(bucket.tat, now, longer);
        }
        self.drop_hopeless();
    }

    /// Turns away all who will not be served in their time, which is later than it was.
    pub(super) fn drop_hopeless(&mut self) {
        let mut ahead = [0; 2];
        let mut hopeless = Vec::new();
        for (ticket, waiter) in self.line.queue.tickets() {
            let with_it = [0, 1].map(|unit| ahead[unit] + waiter.own[unit]);
            if waiter.give_up < self.due(waiter.own, with_it) {
                hopeless.push(ticket);
            } else {
                ahead = with_it;
            }
        }
        for ticket in hopeless {
            if let Some(waiter) = self.line.queue.remove(ticket) {
                self.wake.extend(waiter.waker);
            }
        }
    }

    /// Gives their turn to all at the head of the line for whom it has come; the turn of who is its
    /// head then, or [`NOBODY`].
    fn serve(&mut self) -> u64 {
        while let Some(own) = self.line.queue.front().map(|head| head.own) {
            let due = self.due(own, own);
            if due > self.now {
                return due;
            }
            self.charge(own);
            if let Some((_, head)) = self.line.queue.detach_front() {
                head.state = State::Served;
                self.wake.extend(head.waker.take());
            }
        }
        NOBODY
    }

    /// The instant at which one that costs `own` has its turn, when `ahead` is what it and those
    /// before it cost.
    fn due(&self, own: [u64; 2], ahead: [u64; 2]) -> u64 {
        let mut due = self.now.max(self.line.pause_until);
        let (now, server) = (self.now, &self.line.server);
        for bucket in self.buckets() {
            due = due.max(bucket.due(now, own, ahead));
        }
        for (unit, pace) in server.iter().enumerate() {
            if let Some(pace) = pace {
                due = due.max(pace.due(now, own[unit], ahead[unit]));
            }
        }
        due
    }

    /// The turn of one who stands in line, or is to join it. With several buckets, and after some
    /// before it have left, it may be another: whoever comes to the head is told.
    fn due_in_line(&self, waiter: &Waiter) -> u64 {
        let start = match self.line.queue.is_empty() {
            true => self.line.entered,
            false => self.line.start(),
        };
        let ahead = [0, 1].map(|unit| waiter.end[unit] - start[unit]);
        self.due(waiter.own, ahead)
    }

    fn charge(&mut self, own: [u64; 2]) {
        let now = self.now;
        let first = &mut self.first;
        let need = first.pace.time_of(own[first.unit as usize]);
        first.tat = take(first.tat, now, need);
        for bucket in &mut self.line.others {
            let need = bucket.pace.time_of(own[bucket.unit as usize]);
            bucket.tat = take(bucket.tat, now, need);
        }
        for (unit, pace) in self.line.server.iter_mut().enumerate() {
            if let Some(pace) = pace {
                pace.charge(now, own[unit]);
            }
        }
    }

    fn give_back(&mut self, own: [u64; 2]) {
        let first = &mut self.first;
        let need = first.pace.time_of(own[first.unit as usize]);
        first.tat = first.tat.saturating_sub(need);
        for bucket in &mut self.line.others {
            let need = bucket.pace.time_of(own[bucket.unit as usize]);
            bucket.tat = bucket.tat.saturating_sub(need);
        }
        for (unit, pace) in self.line.server.iter_mut().enumerate() {
            if let Some(pace) = pace {
                pace.give_back(own[unit]);
            }
        }
    }

    pub(super) fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        std::iter::once(self.first).chain(self.line.others.iter().copied())
    }

    /// When time goes on for the buckets: now, or at the end of a pause.
    pub(super) fn begin(&self) -> u64 {
        self.line.pause_until.max(self.now)
    }

    /// Has `buckets` in place of those that there are, and turns away who now waits in vain.
    pub(super) fn set_buckets(&mut self, buckets: Vec<Bucket>) {
        let mut buckets = buckets.into_iter();
        self.first = buckets.next().unwrap_or(Bucket::FREE);
        self.line.others = buckets.collect();
        let (local, first) = (self.local, self.first);
        local.emission.store(first.pace.emission, Ordering::Relaxed);
        local.depth.store(first.pace.depth, Ordering::Relaxed);
        let by_cost = first.unit == Unit::Cost;
        local.by_cost.store(by_cost, Ordering::Relaxed);
        self.drop_hopeless();
    }

    /// Serves the line, lets the lock go and wakes whom that concerns.
    pub(super) fn release(mut self) {
        let now = self.now;
        for pace in &mut self.line.server {
            *pace = pace.take().filter(|pace| !pace.is_over(now));
        }
        let head = match self.served.take() {
            Some(head) => head,
            None => self.serve(),
        };
        self.tell_head(head);
        let slow = !self.line.queue.is_empty()
            || !self.line.others.is_empty()
            || self.line.pause_until > now
            || self.line.server.iter().any(Option::is_some);
        let state = self.first.tat << 1 | if slow { SLOW } else { 0 };
        // Before the lock is released: the next holder must read what this one wrote.
        self.local.first.store(state, Ordering::Release);
        drop(self.line);
        self.wake.into_iter().for_each(Waker::wake);
    }

    /// Wakes the head of the line if its timer rings too late for its turn: some before it have
    /// left, or units were given back.
    fn tell_head(&mut self, due: u64) {
        if let Some((_, head)) = self.line.queue.front_mut()
            && due < head.rings_at
        {
            head.rings_at = due;
            self.wake.extend(head.waker.clone());
        }
    }
}
