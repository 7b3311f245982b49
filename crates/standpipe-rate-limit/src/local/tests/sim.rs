//! The machine with its waiters' tasks and timers, in virtual time.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use standpipe_core::queue::Ticket;

use crate::local::{Joined, Local, Turn};
use crate::{Quota, Unit};

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Waiting,
    Admitted(u64),
    Refused(u64),
    Left,
}

struct Task {
    ticket: Ticket,
    flag: Arc<Flag>,
    rings_at: u64,
    polled: bool,
}

pub(super) struct Sim {
    pub(super) local: Local,
    pub(super) now: u64,
    pub(super) fates: Vec<Fate>,
    /// The requests in the order of their admission.
    pub(super) order: Vec<usize>,
    pub(super) polls: usize,
    tasks: Vec<(usize, Task)>,
}

impl Sim {
    pub(super) fn new(quotas: &[(Quota, Unit)]) -> Self {
        Self {
            local: Local::new(quotas, usize::MAX),
            now: 1_000,
            fates: Vec::new(),
            order: Vec::new(),
            polls: 0,
            tasks: Vec::new(),
        }
    }

    /// A request comes, as the service handles it, and is polled at once.
    pub(super) fn arrive(&mut self, cost: u32, give_up: u64) -> usize {
        let index = self.arrive_unpolled(cost, give_up);
        self.poll_woken();
        index
    }

    pub(super) fn arrive_unpolled(&mut self, cost: u32, give_up: u64) -> usize {
        let index = self.fates.len();
        self.fates.push(Fate::Waiting);
        if self.local.try_admit(self.now, cost) {
            self.admitted(index);
            return index;
        }
        match self.local.join(self.now, cost, give_up) {
            Joined::Admitted => self.admitted(index),
            Joined::Waiting(ticket, _) => {
                let flag = Arc::new(Flag(AtomicBool::new(true)));
                let task = Task {
                    ticket,
                    flag,
                    rings_at: u64::MAX,
                    polled: true,
                };
                self.tasks.push((index, task));
            }
            Joined::TooLong(_) | Joined::Full(_) => self.fates[index] = Fate::Refused(self.now),
        }
        index
    }

    /// From now on nobody polls the task of `index`.
    pub(super) fn abandon(&mut self, index: usize) {
        for (who, task) in &mut self.tasks {
            if *who == index {
                task.polled = false;
            }
        }
    }

    pub(super) fn cancel(&mut self, index: usize) {
        let Some(place) = self.tasks.iter().position(|(who, _)| *who == index) else {
            return;
        };
        let (_, task) = self.tasks.remove(place);
        self.local.leave(task.ticket, self.now);
        self.fates[index] = Fate::Left;
        self.poll_woken();
    }

    /// Lets time pass, ringing all timers on the way.
    pub(super) fn advance(&mut self, to: u64) {
        loop {
            self.poll_woken();
            let timers = self.tasks.iter().filter(|(_, task)| task.polled);
            let next = timers.map(|(_, task)| task.rings_at).min();
            match next.filter(|&next| next <= to) {
                Some(next) => self.now = self.now.max(next),
                None => break,
            }
            for (_, task) in &self.tasks {
                if task.polled && task.rings_at <= self.now {
                    task.flag.0.store(true, Ordering::SeqCst);
                }
            }
        }
        self.now = self.now.max(to);
    }

    pub(super) fn waiting(&self) -> Vec<usize> {
        self.tasks.iter().map(|(index, _)| *index).collect()
    }

    pub(super) fn poll_woken(&mut self) {
        let woken = |(_, task): &(usize, Task)| task.polled && task.flag.0.load(Ordering::SeqCst);
        while let Some(place) = self.tasks.iter().position(woken) {
            let now = self.now;
            let (index, task) = &mut self.tasks[place];
            let index = *index;
            task.flag.0.store(false, Ordering::SeqCst);
            let waker = Waker::from(task.flag.clone());
            self.polls += 1;
            let turn = self.local.poll(task.ticket, now, &waker);
            let woken = task.flag.0.load(Ordering::SeqCst);
            assert!(!woken, "woken by its own question");
            match turn {
                Turn::Wait(at) => {
                    assert!(at > now, "a timer that rings at once, again and again");
                    task.rings_at = at;
                    continue;
                }
                Turn::Admitted => self.admitted(index),
                Turn::TooLong(_) => self.fates[index] = Fate::Refused(now),
            }
            self.tasks.remove(place);
        }
    }

    fn admitted(&mut self, index: usize) {
        self.fates[index] = Fate::Admitted(self.now);
        self.order.push(index);
    }

    pub(super) fn admitted_at(&self, index: usize) -> u64 {
        match self.fates[index] {
            Fate::Admitted(at) => at,
            fate => panic!("{index} is {fate:?}"),
        }
    }
}

pub(super) fn n(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// One unit in each `millis`.
pub(super) fn quota(millis: u64, burst: u32) -> Quota {
    let quota = Quota::per(n(1), Duration::from_millis(millis)).unwrap();
    quota.burst(n(burst))
}

pub(super) const MS: u64 = 1_000_000;
