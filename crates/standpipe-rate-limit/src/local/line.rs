use std::task::Waker;

use standpipe_core::queue::WaitQueue;

use crate::gcra::Pace;
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
    pub(super) fn new(quota: Quota, unit: Unit) -> Self {
        Self {
            pace: Pace::of(quota),
            unit,
            tat: 0,
        }
    }

    /// When one that costs `own` has its turn, when `ahead` is what it and those before it cost.
    pub(super) fn due(&self, now: u64, own: [u64; 2], ahead: [u64; 2]) -> u64 {
        let unit = self.unit as usize;
        let before = self.pace.time_of(ahead[unit] - own[unit]);
        let tat = self.tat.max(now) + before;
        self.pace.due(tat, now, self.pace.time_of(own[unit]))
    }
}

impl Line {
    pub(super) fn new(others: Vec<Bucket>, max_waiting: usize) -> Self {
        Self {
            queue: WaitQueue::new(),
            others,
            entered: [0; 2],
            pause_until: 0,
            server: [None; 2],
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
