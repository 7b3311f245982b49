use std::task::Waker;

use standpipe_core::queue::WaitQueue;

use crate::gcra::{FAR, Pace};
use crate::local::ServerPace;
use crate::{Quota, Unit};

/// One quota and how far it is used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    pub(super) pace: Pace,
    pub(super) unit: Unit,
    /// When it will be full.
    pub(super) tat: u64,
}

/// What stands under the lock.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) queue: WaitQueue<Waiter>,
    /// All buckets but the first.
    pub(super) others: Vec<Bucket>,
    /// What all who ever joined cost, by unit.
    pub(super) entered: [u64; 2],
    pub(super) pause_until: u64,
    /// What the server said is left, by unit.
    pub(super) server: [Option<ServerPace>; 2],
    /// The quotas that the settings had last; those in force may have been set by hand since.
    pub(super) configured: Vec<(Quota, Unit)>,
    pub(super) max_waiting: usize,
}

/// One in line.
#[derive(Debug)]
pub(super) struct Waiter {
    /// What it costs, by unit.
    pub(super) own: [u64; 2],
    /// What it and all who joined before it cost, by unit: so what it has to wait for is known
    /// without walking the line.
    pub(super) end: [u64; 2],
    pub(super) give_up: u64,
    /// For when its timer is set.
    pub(super) rings_at: u64,
    pub(super) waker: Option<Waker>,
    pub(super) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    /// Its units are taken; it has yet to be polled.
    Served,
}

impl Bucket {
    /// What holds where there is no quota.
    pub(super) const FREE: Self = Self {
        pace: Pace::FREE,
        unit: Unit::Request,
        tat: 0,
    };

    pub(super) fn new(quota: Quota, unit: Unit) -> Self {
        Self {
            pace: Pace::of(quota),
            unit,
            tat: 0,
        }
    }

    pub(super) fn is_free(&self) -> bool {
        self.pace == Pace::FREE
    }

    /// This bucket with as many units taken as were taken of `old`: what was no debt becomes none.
    /// `begin` is when time goes on for the buckets, which is the end of a pause.
    pub(super) fn in_place_of(mut self, old: Self, begin: u64) -> Self {
        let taken = old.tat.saturating_sub(begin);
        let most = match taken <= old.pace.depth {
            true => self.pace.depth,
            false => FAR,
        };
        self.tat = begin + old.pace.convert(taken, self.pace).min(most);
        self
    }

    /// When one that costs `own` has its turn, when `ahead` is what it and those before it cost.
    pub(super) fn due(&self, now: u64, own: [u64; 2], ahead: [u64; 2]) -> u64 {
        let unit = self.unit as usize;
        let before = self.pace.time_of(ahead[unit] - own[unit]);
        let tat = self.tat.max(now) + before;
        self.pace.due(tat, now, self.pace.time_of(own[unit]))
    }
}

/// `new` with what was taken of the `known` buckets: each has one successor at the most, and one of
/// the same quota goes first.
pub(super) fn succeed(new: Vec<Bucket>, known: &mut [Option<Bucket>], begin: u64) -> Vec<Bucket> {
    let same = |new: Bucket, old: Bucket| (old.pace, old.unit) == (new.pace, new.unit);
    let mut take = |by: &dyn Fn(Bucket) -> bool| {
        let suits = |old: &&mut Option<Bucket>| old.is_some_and(by);
        known.iter_mut().find(suits).and_then(Option::take)
    };
    let kept: Vec<_> = new
        .iter()
        .map(|bucket| take(&|old| same(*bucket, old)))
        .collect();
    let successor = |(bucket, kept): (Bucket, Option<Bucket>)| match kept {
        Some(old) => old,
        None => match take(&|old| old.unit == bucket.unit && !old.is_free()) {
            Some(old) => bucket.in_place_of(old, begin),
            None => bucket,
        },
    };
    new.into_iter().zip(kept).map(successor).collect()
}

impl Line {
    pub(super) fn new(
        others: Vec<Bucket>,
        configured: Vec<(Quota, Unit)>,
        max_waiting: usize,
    ) -> Self {
        Self {
            queue: WaitQueue::new(),
            others,
            entered: [0; 2],
            pause_until: 0,
            server: [None; 2],
            configured,
            max_waiting,
        }
    }

    /// What all who joined before the head of the line cost.
    pub(super) fn start(&self) -> [u64; 2] {
        match self.queue.front() {
            Some(head) => [0, 1].map(|unit| head.end[unit] - head.own[unit]),
            None => self.entered,
        }
    }
}

impl Waiter {
    pub(super) fn new(own: [u64; 2], end: [u64; 2], give_up: u64) -> Self {
        Self {
            own,
            end,
            give_up,
            // No timer yet: the first poll sets it.
            rings_at: u64::MAX,
            waker: None,
            state: State::Waiting,
        }
    }

    /// A copy that nobody waits under.
    pub(super) fn figures(&self) -> Self {
        Self::new(self.own, self.end, self.give_up)
    }
}
