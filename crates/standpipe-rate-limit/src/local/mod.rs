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
mod locked;
#[cfg(all(test, standpipe_loom))]
mod loom;
mod server_pace;
#[cfg(all(test, not(standpipe_loom)))]
mod tests;

use std::task::Waker;

use standpipe_core::queue::Ticket;
use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::gcra::{Pace, take};
use crate::{Quota, Unit};
use line::{Bucket, Line};
use locked::Locked;
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
    by_cost: AtomicBool,
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
        let first = buckets.next().unwrap_or(Bucket::FREE);
        let others: Vec<_> = buckets.collect();
        Self {
            first: AtomicU64::new(if others.is_empty() { 0 } else { SLOW }),
            emission: AtomicU64::new(first.pace.emission),
            depth: AtomicU64::new(first.pace.depth),
            by_cost: AtomicBool::new(first.unit == Unit::Cost),
            line: Mutex::new(Line::new(others, quotas.to_vec(), max_waiting)),
        }
    }

    /// Admits one that costs `cost`, if that needs neither a wait nor the lock.
    #[inline]
    pub(crate) fn try_admit(&self, now: u64, cost: u32) -> bool {
        let mut seen = self.first.load(Ordering::Acquire);
        let pace = self.pace();
        let need = match self.unit() {
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
        if let Some(depth) = too_shallow(first, self.unit()) {
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

    /// Replaces the quota of one bucket, by its index; `false` if there is none.
    pub(crate) fn set_quota(&self, now: u64, index: usize, quota: Quota) -> bool {
        let mut locked = self.lock(now);
        let mut buckets: Vec<_> = locked.buckets().collect();
        let known = buckets.get_mut(index).filter(|bucket| !bucket.is_free());
        let found = known.is_some();
        if let Some(bucket) = known {
            *bucket = Bucket::new(quota, bucket.unit).in_place_of(*bucket, locked.begin());
            locked.set_buckets(buckets);
        }
        locked.release();
        found
    }

    /// Replaces all quotas. A bucket whose quota stays goes on; what was taken of another passes to
    /// one in the same unit.
    pub(crate) fn set_quotas(&self, now: u64, quotas: &[(Quota, Unit)]) {
        let mut locked = self.lock(now);
        locked.set_quotas(quotas);
        locked.release();
    }

    /// Follows the settings: sets the number of those who may wait, and the quotas where the settings
    /// had others before. What was set since by hand stays otherwise. Says whether it set the quotas.
    pub(crate) fn configure(&self, now: u64, quotas: &[(Quota, Unit)], max_waiting: usize) -> bool {
        let mut locked = self.lock(now);
        let changed = locked.line.configured != quotas;
        if changed {
            locked.line.configured = quotas.to_vec();
            locked.set_quotas(quotas);
        }
        locked.line.max_waiting = max_waiting;
        locked.release();
        changed
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
    fn unit(&self) -> Unit {
        match self.by_cost.load(Ordering::Relaxed) {
            true => Unit::Cost,
            false => Unit::Request,
        }
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
            first: Bucket {
                pace: self.pace(),
                unit: self.unit(),
                tat,
            },
            now,
            wake: Vec::new(),
            stale: None,
            served: None,
        }
    }
}
