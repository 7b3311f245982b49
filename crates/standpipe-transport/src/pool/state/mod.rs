//! The pool of one origin as a plain state machine: no lock, no clock, no task.
//!
//! `C` is a connection handle, `P` a permit. Every public operation ends with
//! [`State::serve`], which is the only place where a waiter is granted a connection.

#[cfg(test)]
mod audit;
mod connections;
mod dials;
mod handle;
mod idle;
mod permits;
mod spare;
mod totals;
mod waiters;

use std::collections::VecDeque;

use standpipe_core::queue::{Ticket, WaitQueue};
use standpipe_core::{Error, ErrorKind, Phase};
use tokio::time::Instant;

use super::effects::Effects;
use super::streams::Streams;
use crate::events::CloseReason;
#[cfg(test)]
pub(in crate::pool) use audit::Audit;
pub(crate) use dials::DialTag;
use dials::Dials;
use handle::reason_of;
pub(crate) use handle::{Handle, Link};
use idle::Idle;
pub(crate) use idle::Sweep;
pub(crate) use spare::Warmth;
use spare::Watcher;
pub use totals::ClosedCounts;
pub(crate) use totals::StateTotals;
pub(crate) use waiters::Found;
use waiters::Waiter;

/// The limits of one origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) idle: usize,
    pub(crate) waiting: usize,
    /// Connections to keep, used or not.
    pub(crate) min_idle: usize,
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

/// What the closing of an origin found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Closing {
    /// Waiters, who were failed.
    pub(crate) waiting: usize,
    /// Requests under way, which go on.
    pub(crate) in_flight: usize,
}

#[derive(Debug)]
pub(crate) struct State<C: Handle, P> {
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
    dials: Dials,
    /// Permits in use: dials under way and connections whose IO is alive.
    slots: usize,
    /// Connections that were opened and whose IO is alive.
    live: Vec<C::Link>,
    /// How many connections are to close when they come back, because the limit was lowered.
    excess: usize,
    /// Those who want connections to be there, and none of them for themselves.
    watchers: Vec<Watcher>,
    next_watcher: u64,
    totals: StateTotals,
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
            dials: Dials::default(),
            slots: 0,
            live: Vec::new(),
            excess: 0,
            watchers: Vec::new(),
            next_watcher: 0,
            totals: StateTotals::default(),
            listed: false,
            closed: false,
        }
    }

    // ---- the whole ----

    /// Refuses newcomers, fails all who wait and closes what is not in use.
    pub(crate) fn close(&mut self, fx: &mut Effects<C, P>) -> Closing {
        self.closed = true;
        let waiting = self.waiters.len();
        while !self.waiters.is_empty() {
            let error = Error::new(ErrorKind::Shutdown).with_phase(Phase::Acquire);
            self.grant_head(Err(error), fx);
        }
        self.close_idle(CloseReason::Shutdown, fx);
        for id in self.streams.ids() {
            fx.idle_change += self.streams.drain(id, CloseReason::Shutdown, fx);
        }
        self.serve(fx);
        self.wake_watchers(fx);
        let in_flight = self.in_flight();
        Closing { waiting, in_flight }
    }

    /// Requests that have a connection, or a stream; an upgraded connection is one.
    ///
    /// To be asked once the origin is closed, when a connection that nobody uses is no longer held.
    pub(crate) fn in_flight(&self) -> usize {
        let shared = self.streams.ids();
        let leased = |link: &&C::Link| !link.is_let_go() && !shared.contains(&link.id());
        self.live.iter().filter(leased).count() + self.streams.in_use()
    }

    /// New limits. What is above them is closed when it is not in use, or comes back.
    pub(crate) fn set_limits(&mut self, limits: Limits, now: Instant, fx: &mut Effects<C, P>) {
        self.limits = limits;
        self.excess = self.live.len().saturating_sub(limits.connections);
        let reason = CloseReason::LimitLowered;
        while self.excess > 0 && self.take_oldest(reason, fx).is_some() {
            self.excess -= 1;
        }
        for id in self.streams.ids().into_iter().rev().take(self.excess) {
            self.excess -= 1;
            fx.idle_change += self.streams.drain(id, reason, fx);
        }
        self.serve(fx);
        self.trim(now, fx);
        self.wake_watchers(fx);
    }

    pub(crate) fn counts(&self) -> Counts {
        let idle = self.idle() + self.settling.len();
        let dialing = self.dials.under_way();
        Counts {
            dialing,
            // The IO of a failed dial may be gone before the dial is.
            active: self.slots.saturating_sub(dialing + idle),
            idle,
            waiting: self.waiters.len(),
            streams: self.streams.in_use(),
        }
    }

    pub(crate) fn totals(&self) -> StateTotals {
        self.totals
    }

    /// All connections there are.
    pub(crate) fn links(&self) -> Vec<C::Link> {
        self.live.clone()
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Idle connections as `Effects::idle_change` counts them.
    pub(crate) fn idle(&self) -> usize {
        self.idle.len() + self.streams.idle_count()
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
    }
}
