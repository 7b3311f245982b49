//! The pool of one origin as a plain state machine: no lock, no clock, no task.
//!
//! `C` is a connection handle, `P` a permit. Every public operation ends with
//! [`State::serve`], which is the only place where a waiter is granted a connection.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use standpipe_core::queue::{Ticket, WaitQueue};
use standpipe_core::{Deadline, Error, ErrorKind, Phase};
use tokio::time::Instant;

use super::effects::Effects;
use super::streams::Streams;

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
    /// A shared connection that was idle is about to carry a stream.
    fn begin_busy(&self) {}
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

#[derive(Debug)]
struct Waiter<C> {
    since: Instant,
    waker: Option<Waker>,
    grant: Option<Result<C, Error>>,
}

#[derive(Debug)]
struct Idle<C> {
    handle: C,
    since: Instant,
}

#[derive(Debug)]
struct Failure {
    error: Error,
    /// Who came before this serial number was there when the dial began.
    covers: u64,
    /// The dial stood for all of them, not for one.
    for_all: bool,
}

/// What a waiter finds when it looks.
pub(crate) enum Found<C, P> {
    /// It was served, or failed.
    Grant(Result<C, Error>),
    /// A permit is there: begin a dial with it and look again.
    Dial(P),
}

/// What the timer of a connection is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sweep {
    /// It idled too long and was taken out.
    Expired,
    /// It cannot have idled too long before this time.
    CheckAt(Instant),
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

    // ---- asking for a connection ----

    /// The common case of [`checkout`](State::checkout), which leaves nothing to do but to note the change
    /// in idle connections.
    #[inline]
    pub(crate) fn take_free(&mut self) -> Option<(C, isize)> {
        if !self.waiters.is_empty() || self.closed {
            return None;
        }
        match self.idle.back() {
            Some(Idle { handle, .. }) if handle.is_ready() && !handle.is_spent() => {
                self.idle.pop_back().map(|idle| (idle.handle, -1))
            }
            Some(_) => None,
            None => self.streams.take(),
        }
    }

    /// A connection for a newcomer, if one is free and nobody waits.
    pub(crate) fn checkout(&mut self, fx: &mut Effects<C, P>) -> Option<C> {
        if self.waiters.is_empty() && !self.closed {
            self.take_usable(fx)
        } else {
            None
        }
    }

    /// Joins the queue.
    pub(crate) fn join(&mut self, now: Instant, fx: &mut Effects<C, P>) -> Result<Ticket, Error> {
        if self.closed {
            return Err(Error::new(ErrorKind::Shutdown).with_phase(Phase::Acquire));
        }
        if self.waiters.len() >= self.limits.waiting {
            return Err(Error::new(ErrorKind::QueueFull).with_phase(Phase::Acquire));
        }
        let ticket = self.waiters.push(Waiter {
            since: now,
            waker: None,
            grant: None,
        });
        self.serve(fx);
        Ok(ticket)
    }

    /// A waiter looks at its place. After `Pending` it is woken.
    pub(crate) fn poll_waiter(&mut self, ticket: Ticket, cx: &Context<'_>) -> Poll<Found<C, P>> {
        let Some(waiter) = self.waiters.get_mut(ticket) else {
            let gone = Error::new(ErrorKind::Other).with_message("polled after completion");
            return Poll::Ready(Found::Grant(Err(gone)));
        };
        if let Some(grant) = waiter.grant.take() {
            self.waiters.remove(ticket);
            return Poll::Ready(Found::Grant(grant));
        }
        match &mut waiter.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        match self.spare.pop() {
            Some(permit) => {
                self.dialing += 1;
                self.slots += 1;
                Poll::Ready(Found::Dial(permit))
            }
            None => Poll::Pending,
        }
    }

    /// A waiter goes away; what it was granted and did not collect serves the next one.
    pub(crate) fn leave(&mut self, ticket: Ticket, now: Instant, fx: &mut Effects<C, P>) {
        if let Some(waiter) = self.waiters.remove(ticket)
            && let Some(Ok(handle)) = waiter.grant
        {
            self.put_back(handle, now, fx);
        }
        self.serve(fx);
    }

    // ---- connections coming back, arriving and going ----

    /// The common case of [`put_back`](State::put_back), which leaves nothing to do but to note the
    /// change in idle connections; else the handle is given back.
    #[inline]
    pub(crate) fn keep_free(&mut self, handle: C, now: Instant) -> Result<isize, C> {
        if self.closed || !self.waiters.is_empty() || handle.is_spent() {
            Err(handle)
        } else if handle.is_shared() {
            self.streams.keep(handle, now, self.listed)
        } else if self.listed && self.idle.len() < self.limits.idle && handle.is_ready() {
            self.idle.push_back(Idle { handle, since: now });
            Ok(1)
        } else {
            Err(handle)
        }
    }

    /// A lease ended, or a grant was not collected.
    pub(crate) fn put_back(&mut self, handle: C, now: Instant, fx: &mut Effects<C, P>) {
        if handle.is_shared() {
            fx.idle_change += self.streams.release(handle, now, fx);
        } else if self.closed || handle.is_spent() {
            fx.close.push(handle);
        } else if !handle.is_ready() && !handle.settle() {
            self.settling.push(handle);
        } else {
            self.push_idle(handle, now, fx);
        }
        if !self.waiters.is_empty() {
            self.serve(fx);
        }
        self.trim(now, fx);
    }

    /// The driver of a connection in `settling` can take another request.
    pub(crate) fn settled(&mut self, id: u64, now: Instant, fx: &mut Effects<C, P>) {
        if let Some(at) = self.settling.iter().position(|c| c.id() == id) {
            let handle = self.settling.swap_remove(at);
            self.put_back(handle, now, fx);
        }
    }

    /// A dial ended well.
    pub(crate) fn dialed(
        &mut self,
        handle: C,
        sharing: Sharing,
        now: Instant,
        fx: &mut Effects<C, P>,
    ) {
        self.dialing -= 1;
        self.failures.clear();
        self.sharing = sharing;
        if self.closed || handle.is_spent() {
            fx.close.push(handle);
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
    }

    /// A dial failed. `covers` is the serial number up to which waiters were there when it began.
    pub(crate) fn dial_failed(&mut self, error: Error, covers: u64, fx: &mut Effects<C, P>) {
        self.dialing -= 1;
        self.failures.push(Failure {
            error,
            covers,
            for_all: self.sharing != Sharing::Exclusive,
        });
        self.serve(fx);
    }

    /// The serial number that the next waiter will have.
    pub(crate) fn next_serial(&self) -> u64 {
        self.waiters.next_serial()
    }

    /// The IO of a connection, or of a dial, is gone.
    pub(crate) fn slot_closed(&mut self, fx: &mut Effects<C, P>) {
        self.slots -= 1;
        self.serve(fx);
    }

    /// A connection's driver has ended: nothing more can be sent on it.
    pub(crate) fn driver_ended(&mut self, id: u64, fx: &mut Effects<C, P>) {
        self.take_out(id, fx);
        self.serve(fx);
    }

    /// The peer's limit on streams, as of now.
    pub(crate) fn set_stream_limit(&mut self, id: u64, limit: usize, fx: &mut Effects<C, P>) {
        self.streams.set_limit(id, limit);
        self.serve(fx);
    }

    /// Bytes arrived on a connection that was not trusted for want of them.
    pub(crate) fn revived(&mut self, fx: &mut Effects<C, P>) {
        self.serve(fx);
    }

    /// A request timed out on a shared connection: it gets no stream until bytes arrive on it.
    pub(crate) fn suspect(&mut self, id: u64, fx: &mut Effects<C, P>) {
        self.streams.suspect(id);
        self.serve(fx);
    }

    /// Nothing came on a shared connection for longer than its peer may be silent. One without streams
    /// has nothing to say.
    pub(crate) fn silent(&mut self, id: u64, fx: &mut Effects<C, P>) {
        if self.streams.idle_since(id).is_none() {
            self.suspect(id, fx);
        }
    }

    /// A stream of a shared connection is about to be cancelled.
    pub(crate) fn cool(&mut self, id: u64) {
        self.streams.cool(id);
    }

    /// Some time has passed since streams of a shared connection were cancelled.
    pub(crate) fn cooled(&mut self, id: u64, fx: &mut Effects<C, P>) {
        self.streams.cooled(id);
        self.serve(fx);
    }

    /// A connection has lived long enough: it closes at once, or when it comes back.
    pub(crate) fn retire(&mut self, id: u64, fx: &mut Effects<C, P>) {
        if self.idle.iter().any(|idle| idle.handle.id() == id) {
            self.take_out(id, fx);
        }
        self.drain(id, fx);
    }

    /// Takes a shared connection out of use; it closes when its last stream has ended.
    pub(crate) fn drain(&mut self, id: u64, fx: &mut Effects<C, P>) {
        fx.idle_change += self.streams.drain(id, fx);
        self.serve(fx);
    }

    // ---- permits ----

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

    // ---- idle connections ----

    /// Whether connection `id`, at `now`, has idled for as long as it may.
    pub(crate) fn sweep(
        &mut self,
        id: u64,
        timeout: Duration,
        now: Instant,
        fx: &mut Effects<C, P>,
    ) -> Sweep {
        let idle = self.idle.iter().find(|idle| idle.handle.id() == id);
        let (since, timeout) = match (idle, self.streams.idle_since(id)) {
            (Some(idle), _) => (
                idle.since,
                idle.handle
                    .idle_timeout()
                    .map_or(timeout, |t| t.min(timeout)),
            ),
            (None, Some(since)) => (since, timeout),
            // In use: it comes back at `now` at the earliest.
            (None, None) => return Sweep::CheckAt(later(now, timeout)),
        };
        if now.saturating_duration_since(since) < timeout {
            return Sweep::CheckAt(later(since, timeout));
        }
        self.take_out(id, fx);
        Sweep::Expired
    }

    /// Since when the origin's least recently used idle connection has idled.
    pub(crate) fn oldest_idle(&self) -> Option<Instant> {
        let exclusive = self.idle.front().map(|idle| idle.since);
        let shared = self.streams.oldest_idle().map(|(since, _)| since);
        match (exclusive, shared) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Takes out the least recently used idle connection; returns its number.
    pub(crate) fn evict_oldest(&mut self, fx: &mut Effects<C, P>) -> Option<u64> {
        let exclusive = self.idle.front().map(|idle| (idle.since, idle.handle.id()));
        let shared = self.streams.oldest_idle();
        let (_, id) = match (exclusive, shared) {
            (Some(a), Some(b)) => {
                if a.0 <= b.0 {
                    a
                } else {
                    b
                }
            }
            (a, b) => a.or(b)?,
        };
        self.take_out(id, fx);
        self.serve(fx);
        Some(id)
    }

    /// The index found this origin without idle connections and dropped its entry.
    pub(crate) fn unlist(&mut self) {
        self.listed = false;
    }

    // ---- the whole ----

    /// Since when the head of the queue waits.
    pub(crate) fn head_since(&self) -> Option<Instant> {
        self.waiters.front().map(|waiter| waiter.since)
    }

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

    /// The limit that keeps the head waiting is the one on all connections, not the origin's.
    pub(crate) fn is_short_of_permits(&self) -> bool {
        self.asked.is_some()
    }

    // ---- the one operation ----

    /// Serves the head of the queue as long as there is something to serve it with, then plans
    /// the dials for those who are left.
    fn serve(&mut self, fx: &mut Effects<C, P>) {
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

    /// Hands dial errors out once nothing is left that could serve the waiters instead. The IO of
    /// a failed dial may outlive it, so this is asked again when a slot closes.
    fn settle_failures(&mut self, fx: &mut Effects<C, P>) -> bool {
        // One for whom a dial failed and who went away must not keep others from dialling.
        let head = self.waiters.front_mut().map(|(ticket, _)| ticket.serial());
        self.failures
            .retain(|failure| head.is_some_and(|head| head < failure.covers));
        self.failures.truncate(self.waiters.len());
        let hoped_for = self.asking + usize::from(self.asked.is_some()) + self.spare.len();
        if self.failures.is_empty() || self.slots + self.dialing + hoped_for > 0 {
            return false;
        }
        for failure in std::mem::take(&mut self.failures) {
            self.fail_waiters(&failure, fx);
        }
        true
    }

    fn grant_head(&mut self, grant: Result<C, Error>, fx: &mut Effects<C, P>) {
        if let Some((_, waiter)) = self.waiters.detach_front() {
            waiter.grant = Some(grant);
            fx.wake.extend(waiter.waker.take());
        }
    }

    fn take_usable(&mut self, fx: &mut Effects<C, P>) -> Option<C> {
        while let Some(idle) = self.idle.pop_back() {
            fx.idle_change -= 1;
            if idle.handle.is_ready() && !idle.handle.is_spent() {
                return Some(idle.handle);
            }
            fx.close.push(idle.handle);
        }
        let (handle, idle_change) = self.streams.take()?;
        fx.idle_change += idle_change;
        Some(handle)
    }

    /// Asks for the permits that are missing, gives back those that are too many.
    fn plan(&mut self, fx: &mut Effects<C, P>) {
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

    /// How many dials should begin beyond those under way.
    fn dials_needed(&self) -> usize {
        let room = self.limits.connections.saturating_sub(self.slots);
        let unserved = self.waiters.len().saturating_sub(self.failures.len());
        match self.sharing {
            Sharing::Exclusive => unserved.saturating_sub(self.dialing).min(room),
            Sharing::Unknown | Sharing::Shared => {
                let under_way = self.dialing > 0 || self.streams.any_fresh();
                if under_way {
                    0
                } else {
                    unserved.min(room).min(1)
                }
            }
        }
    }

    fn fail_waiters(&mut self, failure: &Failure, fx: &mut Effects<C, P>) {
        while let Some((ticket, _)) = self.waiters.front_mut() {
            if ticket.serial() >= failure.covers {
                break;
            }
            self.grant_head(Err(failure.error.clone()), fx);
            if !failure.for_all {
                break;
            }
        }
    }

    /// Has the head begin the dials that there are permits for. Whoever was woken for them before
    /// may have been served or have left since.
    fn wake_dialer(&mut self, fx: &mut Effects<C, P>) {
        if !self.spare.is_empty()
            && let Some((_, waiter)) = self.waiters.front_mut()
        {
            fx.wake.extend(waiter.waker.clone());
        }
    }

    fn push_idle(&mut self, handle: C, now: Instant, fx: &mut Effects<C, P>) {
        self.idle.push_back(Idle { handle, since: now });
        fx.idle_change += 1;
    }

    /// Closes what idles beyond the origin's limit and sees to it that the rest is in the index.
    fn trim(&mut self, now: Instant, fx: &mut Effects<C, P>) {
        while self.idle.len() > self.limits.idle {
            if let Some(idle) = self.idle.pop_back() {
                fx.idle_change -= 1;
                fx.close.push(idle.handle);
            }
        }
        if !self.listed && (!self.idle.is_empty() || self.streams.idle_count() > 0) {
            self.listed = true;
            fx.list = Some(now);
        }
    }

    fn take_out(&mut self, id: u64, fx: &mut Effects<C, P>) {
        if let Some(at) = self.idle.iter().position(|idle| idle.handle.id() == id) {
            fx.idle_change -= 1;
            fx.close
                .extend(self.idle.remove(at).map(|idle| idle.handle));
        } else if let Some(at) = self.settling.iter().position(|c| c.id() == id) {
            fx.close.push(self.settling.swap_remove(at));
        } else {
            fx.idle_change += self.streams.remove(id, fx);
        }
    }
}

/// `from` and `wait` later, however long that is.
fn later(from: Instant, wait: Duration) -> Instant {
    Deadline::after_instant(from, wait).instant()
}

/// What the tests look at inside.
#[cfg(test)]
#[derive(Debug)]
pub(super) struct Audit {
    /// Since when those wait who were not served, in the queue's order.
    pub(super) waiting: Vec<Instant>,
    /// Idle connections that could serve a request.
    pub(super) usable: usize,
    /// Idle connections as `Effects::idle_change` counts them.
    pub(super) idle: usize,
    pub(super) slots: usize,
    pub(super) dialing: usize,
    pub(super) spare: usize,
    pub(super) asked: usize,
    pub(super) failures: usize,
}

#[cfg(test)]
impl<C: Handle, P> State<C, P> {
    pub(super) fn audit(&mut self) -> Audit {
        let ready = |idle: &&Idle<C>| idle.handle.is_ready() && !idle.handle.is_spent();
        let usable = self.idle.iter().filter(ready).count();
        Audit {
            waiting: self.waiters.iter().map(|waiter| waiter.since).collect(),
            usable: usable + usize::from(self.streams.any_room()),
            idle: self.idle(),
            slots: self.slots,
            dialing: self.dialing,
            spare: self.spare.len(),
            asked: usize::from(self.asked.is_some()) + self.asking,
            failures: self.failures.len(),
        }
    }
}
