//! The pool of one origin as a plain state machine: no lock, no clock, no task.
//!
//! `C` is a connection handle, `P` a permit. Every public operation ends with
//! [`State::serve`], which is the only place where a waiter is granted a connection.

#[cfg(test)]
mod audit;
mod connections;
mod dials;
mod idle;
mod permits;
mod waiters;

use std::collections::VecDeque;
use std::time::Duration;

use standpipe_core::queue::{Ticket, WaitQueue};
use standpipe_core::{Error, ErrorKind, Phase};

use super::effects::Effects;
use super::streams::Streams;
#[cfg(test)]
pub(in crate::pool) use audit::Audit;
use dials::Failure;
use idle::Idle;
pub(crate) use idle::Sweep;
pub(crate) use waiters::Found;
use waiters::Waiter;

/// What the state machine must know of a connection handle.
pub(crate) trait Handle: Sized {
    /// The connection's number.
    fn id(&self) -> u64;
    /// Whether a request can be sent on it at once.
    fn is_ready(&self) -> bool;
    /// Whether it is of no use any more: closed, or to be closed at the next chance.
    fn is_spent(&self) -> bool;
    /// Asks the driver to say when it is ready; whether it is so already.
    fn settle(&self) -> bool;
    /// Whether the connection carries many requests at once.
    fn is_shared(&self) -> bool;
    /// Another handle of a shared connection.
    fn fork(&self) -> Self;
    /// How many requests the connection may carry.
    fn max_uses(&self) -> u64 {
        u64::MAX
    }
    /// Bytes read from the peer so far.
    fn bytes_read(&self) -> u64;
    /// How long it may idle, where the peer or a setting says so.
    fn idle_timeout(&self) -> Option<Duration>;
}

/// The limits of one origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) idle: usize,
    pub(crate) waiting: usize,
}

/// What is known of the protocol that an origin's connections speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Not known before the first connection: one dial at a time.
    Unknown,
    /// HTTP/1.1: one request at a time on each.
    Exclusive,
    /// HTTP/2: many streams on each; one dial at a time.
    Shared,
}

/// A count of what an origin has at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) dialing: usize,
    pub(crate) active: usize,
    pub(crate) idle: usize,
    pub(crate) waiting: usize,
    pub(crate) streams: usize,
}

#[derive(Debug)]
pub(crate) struct State<C, P> {
    limits: Limits,
    sharing: Sharing,
    waiters: WaitQueue<Waiter<C>>,
    /// Oldest at the front; the newest is used first.
    idle: VecDeque<Idle<C>>,
    /// Returned by their lease before their driver was ready for another request.
    settling: Vec<C>,
    streams: Streams<C>,
    /// Permits with which the next waiter that looks begins a dial.
    spare: Vec<P>,
    /// The place in the line for a permit; one, however many are short.
    asked: Option<Ticket>,
    /// Permits being asked for right now, outside the lock.
    asking: usize,
    /// Places that were served before whoever asked could note them in `asked`.
    early: Vec<Ticket>,
    /// Dials under way.
    dialing: usize,
    /// Permits in use: dials under way and connections whose IO is alive.
    slots: usize,
    /// Dial errors that no waiter was given yet.
    failures: Vec<Failure>,
    /// Whether the index of idle connections has an entry for this origin.
    listed: bool,
    closed: bool,
}

impl<C: Handle, P> State<C, P> {
    pub(crate) fn new(limits: Limits, sharing: Sharing) -> Self {
        Self {
            limits,
            sharing,
            waiters: WaitQueue::new(),
            idle: VecDeque::new(),
            settling: Vec::new(),
            streams: Streams::new(),
            spare: Vec::new(),
            asked: None,
            asking: 0,
            early: Vec::new(),
            dialing: 0,
            slots: 0,
            failures: Vec::new(),
            listed: false,
            closed: false,
        }
    }

    // ---- the whole ----

    /// Refuses newcomers, fails all who wait and closes what is idle; returns how many waited.
    pub(crate) fn close(&mut self, fx: &mut Effects<C, P>) -> usize {
        self.closed = true;
        let failed = self.waiters.len();
        while let Some((_, waiter)) = self.waiters.detach_front() {
            let error = Error::new(ErrorKind::Shutdown).with_phase(Phase::Acquire);
            waiter.grant = Some(Err(error));
            fx.wake.extend(waiter.waker.take());
        }
        while self.evict_oldest(fx).is_some() {}
        for id in self.streams.ids() {
            fx.idle_change += self.streams.drain(id, fx);
        }
        self.serve(fx);
        failed
    }

    pub(crate) fn counts(&self) -> Counts {
        let idle = self.idle() + self.settling.len();
        Counts {
            dialing: self.dialing,
            // The IO of a failed dial may be gone before the dial is.
            active: self.slots.saturating_sub(self.dialing + idle),
            idle,
            waiting: self.waiters.len(),
            streams: self.streams.in_use(),
        }
    }

    /// Idle connections as `Effects::idle_change` counts them.
    pub(crate) fn idle(&self) -> usize {
        self.idle.len() + self.streams.idle_count()
    }

    /// Whether there is nothing here that would be lost with it.
    pub(crate) fn is_vacant(&self) -> bool {
        self.slots == 0 && self.waiters.is_empty() && self.spare.is_empty() && self.asking == 0
    }

    /// The limit that keeps the head waiting is the one on all connections, not the origin's.
    pub(crate) fn is_short_of_permits(&self) -> bool {
        self.asked.is_some()
    }

    // ---- the one operation ----

    /// Serves the head of the queue as long as there is something to serve it with, then plans
    /// the dials for those who are left.
    pub(super) fn serve(&mut self, fx: &mut Effects<C, P>) {
        while !self.waiters.is_empty() {
            let Some(handle) = self.take_usable(fx) else {
                break;
            };
            self.grant_head(Ok(handle), fx);
        }
        if !self.waiters.is_empty() && self.slots >= self.limits.connections {
            fx.idle_change += self.streams.remove_suspect(fx);
        }
        self.settle_failures(fx);
        self.plan(fx);
        // The plan may have given up the last permit that was hoped for.
        if self.settle_failures(fx) {
            self.plan(fx);
        }
    }
}
