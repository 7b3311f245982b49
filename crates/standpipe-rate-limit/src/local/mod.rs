//! The limiter of this process: buckets, and a line of those who wait.
//!
//! A plain machine: time is passed in, as nanoseconds since an epoch; wakers are called after the
//! lock was released.
//!
//! With one bucket and nobody in line an admission is one compare-and-swap on the bucket's number.
//! Its lowest bit says *take the lock*: somebody waits, or something else than the one bucket is to
//! be asked. It is set and cleared under the lock alone, so whoever holds the lock with the bit
//! set is the only one to move the bucket, and no newcomer overtakes the line.

mod line;
#[cfg(all(test, standpipe_loom))]
mod loom;
mod server_pace;
#[cfg(all(test, not(standpipe_loom)))]
mod tests;

use std::task::Waker;

use standpipe_core::queue::Ticket;
use standpipe_core::sync::atomic::{AtomicU64, Ordering};
use standpipe_core::sync::{Mutex, MutexGuard};

use crate::gcra::{Pace, take};
use crate::{Quota, Unit};
use line::{Bucket, Line, State, Waiter};
pub(crate) use server_pace::ServerPace;

const SLOW: u64 = 1;

#[derive(Debug)]
pub(crate) struct Local {
    /// When the first bucket will be full, shifted by one, and the bit [`SLOW`].
    first: AtomicU64,
    // The figures of the first bucket. They change under the lock with the bit set; a newcomer
    // without the lock may read one old and one new, once.
    emission: AtomicU64,
    depth: AtomicU64,
    unit: Unit,
    line: Mutex<Line>,
}

/// What came of joining.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    Admitted,
    /// In line under this ticket, until so many nanoseconds from now as things stand.
    Waiting(Ticket, u64),
    /// The wait of so many nanoseconds would be too long.
    TooLong(u64),
    /// As many wait as may.
    Full(u64),
}

/// What one in line is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Admitted,
    /// Ask again at this instant, unless woken before.
    Wait(u64),
    /// The wait, of so many nanoseconds more, is too long; the place is given up.
    TooLong(u64),
}

/// How a limiter stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) waiting: usize,
    pub(crate) paused: u64,
    pub(crate) available: Vec<u64>,
    pub(crate) paced: bool,
}

impl Local {
    /// A limiter with full buckets, at the epoch. Without a bucket everything is admitted, but for
    /// the server's word.
    pub(crate) fn new(quotas: &[(Quota, Unit)], max_waiting: usize) -> Self {
        let mut buckets = quotas.iter().map(|&(quota, unit)| Bucket::new(quota, unit));
        let first = buckets.next().unwrap_or(Bucket {
            pace: Pace::FREE,
            unit: Unit::Request,
            tat: 0,
        });
        let others: Vec<_> = buckets.collect();
        Self {
            first: AtomicU64::new(if others.is_empty() { 0 } else { SLOW }),
            emission: AtomicU64::new(first.pace.emission),
            depth: AtomicU64::new(first.pace.depth),
            unit: first.unit,
            line: Mutex::new(Line::new(others, max_waiting)),
        }
    }

    /// Admits one that costs `cost`, if that needs neither a wait nor the lock.
    #[inline]
    pub(crate) fn try_admit(&self, now: u64, cost: u32) -> bool {
        let mut seen = self.first.load(Ordering::Acquire);
        let pace = self.pace();
        let need = match self.unit {
            Unit::Request => pace.emission,
            Unit::Cost => pace.time_of(u64::from(cost)),
        };
        loop {
            if seen & SLOW != 0 {
                return false;
            }
            let moved = take(seen >> 1, now, need);
            if moved > now + pace.depth {
                return false;
            }
            let exchange = self.first.compare_exchange_weak(
                seen,
                moved << 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match exchange {
                Ok(_) => return true,
                Err(current) => seen = current,
            }
        }
    }

    /// Whether every bucket is deep enough for `cost`; else the depth of the first that is not.
    pub(crate) fn check(&self, cost: u32) -> Result<(), u64> {
        let units = [1, u64::from(cost)];
        let first = self.pace();
        let too_shallow = |pace: Pace, unit: Unit| {
            (!pace.holds(units[unit as usize])).then(|| pace.available(0, 0))
        };
        if let Some(depth) = too_shallow(first, self.unit) {
            return Err(depth);
        }
        // Several buckets have the bit set for good.
        if self.first.load(Ordering::Acquire) & SLOW == 0 {
            return Ok(());
        }
        let line = self.line.lock();
        let mut depths = line.others.iter();
        match depths.find_map(|bucket| too_shallow(bucket.pace, bucket.unit)) {
            Some(depth) => Err(depth),
            None => Ok(()),
        }
    }

    /// Admits one that costs `cost`, or puts it at the end of the line, if its turn comes no later
    /// than `give_up`.
    pub(crate) fn join(&self, now: u64, cost: u32, give_up: u64) -> Joined {
        let mut locked = self.lock(now);
        let ticket = locked.join(cost, give_up);
        locked.release();
        ticket
    }

    /// Asks whether it is the turn of `ticket`, and leaves `waker` to be told.
    pub(crate) fn poll(&self, ticket: Ticket, now: u64, waker: &Waker) -> Turn {
        let mut locked = self.lock(now);
        let turn = locked.poll(ticket, waker);
        locked.release();
        turn
    }

    /// Leaves the line. A turn that was given and not yet taken goes to the next.
    pub(crate) fn leave(&self, ticket: Ticket, now: u64) {
        let mut locked = self.lock(now);
        locked.leave(ticket);
        locked.release();
    }

    /// Takes `units` of cost more, as a debt where the bucket has not got them; or gives them back.
    pub(crate) fn settle(&self, now: u64, units: i64) {
        let mut locked = self.lock(now);
        locked.settle(units);
        locked.release();
    }

    /// Admits nobody before `until`. Those who cannot wait so long are told at once.
    pub(crate) fn pause(&self, now: u64, until: u64) {
        let mut locked = self.lock(now);
        locked.pause(until);
        locked.release();
    }

    /// Keeps to what the server said is left in `unit`, on top of the quotas; `None` once it is
    /// ample.
    pub(crate) fn set_server_pace(&self, now: u64, unit: Unit, pace: Option<ServerPace>) {
        let mut locked = self.lock(now);
        locked.line.server[unit as usize] = pace;
        locked.release();
    }

    /// Whether a bucket of this process, and none but it, could admit `left` in `unit` before
    /// `until`: else the server's word asks for less than we do.
    pub(crate) fn could_use(&self, now: u64, unit: Unit, left: u64, until: u64) -> bool {
        let locked = self.lock(now);
        let could = locked
            .buckets()
            .filter(|bucket| bucket.unit == unit)
            .all(|bucket| {
                let room = bucket.pace.available(bucket.tat, now);
                let refill = until.saturating_sub(now).checked_div(bucket.pace.emission);
                room.saturating_add(refill.unwrap_or(u64::MAX)) >= left
            });
        locked.release();
        could
    }

    /// Replaces the quota of one bucket, by its index; `false` if there is none. What was taken
    /// stays taken.
    pub(crate) fn set_quota(&self, now: u64, index: usize, quota: Quota) -> bool {
        let pace = Pace::of(quota);
        let mut locked = self.lock(now);
        let found = match index.checked_sub(1) {
            None => {
                self.emission.store(pace.emission, Ordering::Relaxed);
                self.depth.store(pace.depth, Ordering::Relaxed);
                locked.pace = pace;
                true
            }
            Some(index) => match locked.line.others.get_mut(index) {
                Some(bucket) => {
                    bucket.pace = pace;
                    true
                }
                None => false,
            },
        };
        locked.drop_hopeless();
        locked.release();
        found
    }

    pub(crate) fn paused_until(&self) -> u64 {
        self.line.lock().pause_until
    }

    pub(crate) fn standing(&self, now: u64) -> Standing {
        let locked = self.lock(now);
        let standing = Standing {
            waiting: locked.line.queue.len(),
            paused: locked.line.pause_until.saturating_sub(now),
            available: locked
                .buckets()
                .map(|bucket| bucket.pace.available(bucket.tat, now))
                .collect(),
            paced: locked.line.server.iter().any(Option::is_some),
        };
        locked.release();
        standing
    }

    #[inline]
    fn pace(&self) -> Pace {
        Pace {
            emission: self.emission.load(Ordering::Relaxed),
            depth: self.depth.load(Ordering::Relaxed),
        }
    }

    /// Takes the lock and sets the bit: from here on nobody else moves the first bucket.
    fn lock(&self, now: u64) -> Locked<'_> {
        let line = self.line.lock();
        let tat = self.first.fetch_or(SLOW, Ordering::AcqRel) >> 1;
        Locked {
            local: self,
            line,
            pace: self.pace(),
            tat,
            now,
            wake: Vec::new(),
            stale: None,
        }
    }
}

/// The limiter while one holds its lock.
struct Locked<'a> {
    local: &'a Local,
    line: MutexGuard<'a, Line>,
    pace: Pace,
    tat: u64,
    now: u64,
    wake: Vec<Waker>,
    /// A waker to be dropped after the lock: with it may go the last of a task, and that task's own
    /// place in this line.
    stale: Option<Waker>,
}

impl Locked<'_> {
    fn join(&mut self, cost: u32, give_up: u64) -> Joined {
        let own = [1, u64::from(cost)];
        // Those before this one have their turns first.
        self.serve();
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
        Joined::Waiting(self.line.queue.push(waiter), wait)
    }

    fn poll(&mut self, ticket: Ticket, waker: &Waker) -> Turn {
        self.serve();
        let Some(waiter) = self.line.queue.get_mut(ticket) else {
            // It was told that its wait is hopeless and its place is gone.
            let wait = self.line.pause_until.saturating_sub(self.now);
            return Turn::TooLong(wait);
        };
        if waiter.state == State::Served {
            self.line.queue.remove(ticket);
            return Turn::Admitted;
        }
        if !waiter
            .waker
            .as_ref()
            .is_some_and(|known| known.will_wake(waker))
        {
            self.stale = waiter.waker.replace(waker.clone());
        }
        let (waiter, give_up) = (waiter.figures(), waiter.give_up);
        let due = self.due_in_line(&waiter);
        if give_up <= self.now {
            self.line.queue.remove(ticket);
            return Turn::TooLong(due - self.now);
        }
        let at = due.min(give_up);
        if let Some(waiter) = self.line.queue.get_mut(ticket) {
            waiter.rings_at = at;
        }
        Turn::Wait(at)
    }

    fn leave(&mut self, ticket: Ticket) {
        let Some(waiter) = self.line.queue.remove(ticket) else {
            return;
        };
        self.stale = waiter.waker;
        if waiter.state == State::Served {
            self.give_back(waiter.own);
        }
    }

    fn settle(&mut self, units: i64) {
        let (now, amount) = (self.now, units.unsigned_abs());
        let apply = |tat: &mut u64, pace: Pace| {
            let time = pace.time_of(amount);
            *tat = match units < 0 {
                true => tat.saturating_sub(time),
                false => take(*tat, now, time),
            };
        };
        if self.local.unit == Unit::Cost {
            apply(&mut self.tat, self.pace);
        }
        for bucket in &mut self.line.others {
            if bucket.unit == Unit::Cost {
                apply(&mut bucket.tat, bucket.pace);
            }
        }
    }

    fn pause(&mut self, until: u64) {
        let begin = self.line.pause_until.max(self.now);
        let Some(longer) = until.checked_sub(begin).filter(|&longer| longer > 0) else {
            return;
        };
        self.line.pause_until = until;
        // Time in which nothing may go out earns no credit: after the pause there is no more than
        // there was before it.
        self.tat = take(self.tat, self.now, longer);
        let now = self.now;
        for bucket in &mut self.line.others {
            bucket.tat = take(bucket.tat, now, longer);
        }
        self.drop_hopeless();
    }

    /// Turns away all who will not be served in their time, which is later than it was.
    fn drop_hopeless(&mut self) {
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

    /// Gives their turn to all at the head of the line for whom it has come.
    fn serve(&mut self) {
        while let Some(own) = self.line.queue.front().map(|head| head.own) {
            if self.due(own, own) > self.now {
                return;
            }
            self.charge(own);
            if let Some((_, head)) = self.line.queue.detach_front() {
                head.state = State::Served;
                self.wake.extend(head.waker.take());
            }
        }
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
        let need = self.pace.time_of(own[self.local.unit as usize]);
        self.tat = take(self.tat, now, need);
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
        let need = self.pace.time_of(own[self.local.unit as usize]);
        self.tat = self.tat.saturating_sub(need);
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

    fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        let first = Bucket {
            pace: self.pace,
            unit: self.local.unit,
            tat: self.tat,
        };
        std::iter::once(first).chain(self.line.others.iter().copied())
    }

    /// Serves the line, lets the lock go and wakes whom that concerns.
    fn release(mut self) {
        let now = self.now;
        for pace in &mut self.line.server {
            *pace = pace.take().filter(|pace| !pace.is_over(now));
        }
        self.serve();
        self.tell_head();
        let slow = !self.line.queue.is_empty()
            || !self.line.others.is_empty()
            || self.line.pause_until > now
            || self.line.server.iter().any(Option::is_some);
        let state = self.tat << 1 | if slow { SLOW } else { 0 };
        // Before the lock is released: the next holder must read what this one wrote.
        self.local.first.store(state, Ordering::Release);
        drop(self.line);
        self.wake.into_iter().for_each(Waker::wake);
    }

    /// Wakes the head of the line if its timer rings too late for its turn: some before it have
    /// left, or units were given back.
    fn tell_head(&mut self) {
        let Some(own) = self.line.queue.front().map(|head| head.own) else {
            return;
        };
        let due = self.due(own, own);
        if let Some((_, head)) = self.line.queue.front_mut()
            && due < head.rings_at
        {
            head.rings_at = due;
            self.wake.extend(head.waker.clone());
        }
    }
}
