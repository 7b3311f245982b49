//! The pool of one origin: the state machine behind its lock, and its effects carried out.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use standpipe_core::queue::Ticket;
use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicUsize, Ordering};
use standpipe_core::{ConnectionFacts, Error, ErrorKind, Phase};
use tokio::time::Instant;

use super::calm::Calm;
use super::effects::Effects;
use super::state::{
    Closing, Counts, DialTag, Found, Handle, Limits, Sharing, State, StateTotals, Sweep, Warmth,
};
use super::total::{Claimant, Permit};
use super::{Channel, Shared, counters::Counters, dial, slot};
use crate::config::Protocol;
use crate::conn::ConnMeta;
use crate::dial::local::is_out_of_sockets;
use crate::events::CloseReason;
use crate::key::{ConnectionKey, DialConfig};

type Locked = State<Channel, Permit<OriginPool>>;
type Fx = Effects<Channel, Permit<OriginPool>>;

/// The connections, the queue and the dials of one connection key.
#[derive(Debug)]
pub(crate) struct OriginPool {
    pub(crate) key: ConnectionKey,
    pub(crate) config: Arc<DialConfig>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) counters: Counters,
    pub(crate) calm: Calm,
    /// Permits in this origin's hands, for the line to see without this origin's lock.
    held: Arc<AtomicUsize>,
    /// The most connections, where that is not what holds for all origins; else zero.
    own_max: AtomicUsize,
    /// The same as the settings had it last; the one in force may have been set by hand since.
    configured_max: Mutex<usize>,
    state: Mutex<Locked>,
}

impl OriginPool {
    pub(crate) fn new(
        key: ConnectionKey,
        config: Arc<DialConfig>,
        shared: Arc<Shared>,
        limits: Limits,
    ) -> Self {
        let sharing = match config.protocol {
            Protocol::Http2 => Sharing::Shared,
            Protocol::Auto if key.origin().is_https() => Sharing::Unknown,
            Protocol::Auto | Protocol::Http1 => Sharing::Exclusive,
        };
        let state = Mutex::new(State::new(limits, sharing));
        Self {
            key,
            config,
            shared,
            counters: Counters::default(),
            calm: Calm::default(),
            held: Arc::default(),
            own_max: AtomicUsize::new(0),
            configured_max: Mutex::new(0),
            state,
        }
    }

    /// A connection, if one is free and nobody waits for it.
    #[inline]
    pub(crate) fn checkout(self: &Arc<Self>) -> Option<Channel> {
        let free = self.state.lock().take_free();
        if let Some((channel, idle_change)) = free {
            self.shared.index.add(idle_change);
            return Some(channel);
        }
        self.with(|state, fx| state.checkout(fx))
    }

    /// Joins the queue.
    pub(crate) fn join(self: &Arc<Self>, now: Instant) -> Result<Ticket, Error> {
        if self.config.timeouts.acquire == Some(Duration::ZERO) && !self.shared.is_refusing() {
            // Only a connection that is free now would have done, so no dial begins either.
            return Err(self.acquire_timeout(Duration::ZERO));
        }
        let origin = self.key.origin();
        self.with(|state, fx| state.join(now, fx)).map_err(|error| {
            if error.kind() == ErrorKind::QueueFull {
                self.shared.events.tell(|hook| hook.queue_full(origin));
            }
            error.with_origin(origin.clone())
        })
    }

    /// Looks at a place in the queue; begins the dials whose turn it is.
    pub(crate) fn poll_waiter(
        self: &Arc<Self>,
        ticket: Ticket,
        cx: &Context<'_>,
    ) -> Poll<Result<Channel, Error>> {
        loop {
            let mut fx = Fx::default();
            let found = self.state.lock().poll_waiter(ticket, cx, &mut fx);
            drop(fx);
            match found {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Found::Grant(grant)) => return Poll::Ready(grant),
                Poll::Ready(Found::Dial(permit, tag)) => dial::spawn(self, permit, tag),
            }
        }
    }

    /// A request has its connection, or its stream.
    #[inline]
    pub(crate) fn sent(&self, channel: &Channel, uses_before: u64) {
        self.counters.sent(uses_before > 0);
        self.shared.events.tell_use(|hook| {
            hook.leased(self.key.origin(), &channel.meta.facts);
            if uses_before > 0 {
                hook.reused(self.key.origin(), &channel.meta.facts, uses_before);
            }
        });
    }

    /// A wait ended with a connection.
    pub(crate) fn waited(&self, wait: Duration) {
        self.counters.add_wait(wait);
        self.shared
            .events
            .tell(|hook| hook.waited(self.key.origin(), wait));
    }

    pub(crate) fn leave(self: &Arc<Self>, ticket: Ticket) {
        let now = Instant::now();
        self.with(|state, fx| state.leave(ticket, now, fx));
        // A grant that was not collected may idle now.
        self.shared.rebalance();
    }

    /// A lease ended, and its connection can be used again.
    pub(crate) fn put_back(self: &Arc<Self>, channel: Channel) {
        self.shared
            .events
            .tell_use(|hook| hook.returned(self.key.origin(), &channel.meta.facts));
        self.take_back(channel);
    }

    fn take_back(self: &Arc<Self>, channel: Channel) {
        if self.shared.total.short() > 0 && self.yields(&channel) {
            return;
        }
        let now = Instant::now();
        let kept = self.state.lock().keep_free(channel, now);
        match kept {
            Ok(idle_change) => self.shared.index.add(idle_change),
            Err(channel) => self.with(|state, fx| state.put_back(channel, now, fx)),
        }
        self.shared.rebalance();
    }

    /// A lease ended and its connection cannot be used again. A shared one lives on.
    pub(crate) fn discard(self: &Arc<Self>, channel: Channel) {
        if channel.is_shared() {
            return self.put_back(channel);
        }
        if !channel.is_spent() {
            channel.meta.end.note(CloseReason::Cancelled);
        }
        channel.meta.close();
    }

    /// Another origin has waited longer for a permit than this one's head for a connection: the
    /// connection that comes back is closed, and its permit goes there.
    fn yields(self: &Arc<Self>, channel: &Channel) -> bool {
        let head = self.state.lock().head_since();
        if !self.shared.total.begin_yield(self, head) {
            return false;
        }
        if channel.is_shared() {
            let id = channel.id();
            self.with(|state, fx| state.drain(id, CloseReason::Yielded, fx));
            return false;
        }
        channel.meta.end.note(CloseReason::Yielded);
        channel.meta.close();
        true
    }

    pub(crate) fn settled(self: &Arc<Self>, id: u64) {
        let now = Instant::now();
        self.with(|state, fx| state.settled(id, now, fx));
        self.shared.rebalance();
    }

    pub(crate) fn dialed(self: &Arc<Self>, channel: Channel, tag: DialTag, sharing: Sharing) {
        let now = Instant::now();
        let link = Arc::clone(&channel.meta);
        let (origin, events) = (self.key.origin(), &self.shared.events);
        link.end.set_published();
        events.tell(|hook| hook.created(origin, &link.facts));
        let alive = self.with(|state, fx| state.dialed(channel, tag, sharing, now, fx));
        if !alive {
            slot::tell_closed(events, origin, &link);
        }
        self.shared.rebalance();
        self.replenish();
    }

    pub(crate) fn dial_failed(self: &Arc<Self>, error: Error, tag: DialTag) {
        self.shared
            .events
            .tell(|hook| hook.dial_failed(self.key.origin(), &error));
        // Each time this costs connections that idle, so it comes to an end.
        if is_out_of_sockets(&error) && self.shared.close_idle(CloseReason::Descriptors) > 0 {
            return self.with(|state, fx| state.dial_again(tag, fx));
        }
        self.with(|state, fx| state.dial_failed(error, tag, fx));
    }

    /// A dial ended before it began in earnest: nobody needs it any more.
    pub(crate) fn dial_abandoned(self: &Arc<Self>, tag: DialTag) {
        self.with(|state, fx| state.dial_abandoned(tag, fx));
    }

    /// Whether a dial that has paused is still of use.
    pub(crate) fn wants_dial(&self) -> bool {
        self.state.lock().wants_dial()
    }

    /// The IO of a connection, or of a dial, is gone; whether the connection had been counted.
    pub(crate) fn slot_closed(self: &Arc<Self>, link: Option<&Arc<ConnMeta>>) -> bool {
        self.with(|state, fx| state.slot_closed(link, fx))
    }

    pub(crate) fn settings_overdue(self: &Arc<Self>, id: u64) {
        self.with(|state, fx| state.settings_overdue(id, fx));
    }

    pub(crate) fn driver_ended(self: &Arc<Self>, id: u64) {
        self.with(|state, fx| state.driver_ended(id, fx));
    }

    pub(crate) fn set_stream_limit(self: &Arc<Self>, id: u64, limit: usize) {
        self.with(|state, fx| state.set_stream_limit(id, limit, fx));
    }

    pub(crate) fn revived(self: &Arc<Self>) {
        self.with(|state, fx| state.revived(fx));
    }

    pub(crate) fn suspect(self: &Arc<Self>, id: u64) {
        self.with(|state, fx| state.suspect(id, fx));
    }

    pub(crate) fn silent(self: &Arc<Self>, id: u64) {
        self.with(|state, fx| state.silent(id, fx));
    }

    pub(crate) fn cool(&self, id: u64) {
        self.state.lock().cool(id);
    }

    pub(crate) fn cooled(self: &Arc<Self>, id: u64) {
        self.with(|state, fx| state.cooled(id, fx));
    }

    /// Whether connection `id` has idled too long; it is taken out then.
    pub(crate) fn sweep(self: &Arc<Self>, id: u64, timeout: Duration) -> Sweep {
        let now = Instant::now();
        self.with(|state, fx| state.sweep(id, timeout, now, fx))
    }

    /// Takes a connection out of further use.
    pub(crate) fn retire(self: &Arc<Self>, id: u64, reason: CloseReason) {
        self.with(|state, fx| state.retire(id, reason, fx));
    }

    /// Takes the connections of which `retires` says so out of further use: those that idle close now,
    /// the others when they come back. Returns how many those are.
    pub(crate) fn retire_where(
        self: &Arc<Self>,
        reason: CloseReason,
        retires: impl Fn(&ConnectionFacts) -> bool,
    ) -> usize {
        let links = self.links();
        let chosen = links.iter().filter(|link| retires(&link.facts));
        chosen.map(|link| self.retire(link.id(), reason)).count()
    }

    /// Retires the connections to other addresses than these, which the origin's name no longer has;
    /// returns how many.
    pub(crate) fn keep_addresses(self: &Arc<Self>, addresses: &[IpAddr]) -> usize {
        self.retire_where(CloseReason::Address, |connection| {
            let peer = connection.peer.map(|peer| peer.ip());
            peer.is_some_and(|peer| !addresses.contains(&peer))
        })
    }

    /// All connections that were opened and whose IO is alive.
    pub(crate) fn links(&self) -> Vec<Arc<ConnMeta>> {
        self.state.lock().links()
    }

    pub(crate) fn close(self: &Arc<Self>) -> Closing {
        self.with(|state, fx| state.close(fx))
    }

    /// Closes all connections under whoever uses them; returns how many requests that ended.
    pub(crate) fn cut(&self) -> usize {
        let (in_flight, links) = {
            let state = self.state.lock();
            (state.in_flight(), state.links())
        };
        for link in links {
            link.cut();
        }
        in_flight
    }

    pub(crate) fn set_limits(self: &Arc<Self>, mut limits: Limits) {
        let now = Instant::now();
        self.with(|state, fx| {
            let own = self.own_max.load(Ordering::Relaxed);
            if own != 0 {
                limits.connections = own;
            }
            state.set_limits(limits, now, fx);
        });
    }

    /// Sets the most connections of this origin, or what holds for all origins.
    pub(crate) fn set_own_max(self: &Arc<Self>, max: Option<NonZeroUsize>) {
        let own = max.map_or(0, NonZeroUsize::get);
        if self.own_max.swap(own, Ordering::Relaxed) != own {
            self.set_limits(self.shared.limits());
        }
    }

    /// Sets what the settings say, where they said another before.
    pub(crate) fn configure_own_max(self: &Arc<Self>, max: Option<NonZeroUsize>) {
        let own = max.map_or(0, NonZeroUsize::get);
        let changed = {
            // The lock keeps both together: of two that race, one has the last word on both.
            let mut configured = self.configured_max.lock();
            let other = std::mem::replace(&mut *configured, own) != own;
            other && self.own_max.swap(own, Ordering::Relaxed) != own
        };
        if changed {
            self.set_limits(self.shared.limits());
        }
    }

    /// Closes the least recently used idle connection of this origin.
    pub(crate) fn evict_oldest(self: &Arc<Self>, for_line: bool) -> bool {
        let reason = match for_line {
            true if self.shared.total.is_above() => CloseReason::LimitLowered,
            true => CloseReason::Yielded,
            false => CloseReason::IdleLimit,
        };
        self.with(|state, fx| {
            loop {
                let before = fx.close.len();
                if state.evict_oldest(reason, fx).is_none() {
                    return false;
                }
                // One whose permit is on its way back brings the line nothing more: another goes.
                let evicted = &fx.close[before..];
                if !for_line || evicted.iter().any(|channel| channel.meta.set_evicted()) {
                    return true;
                }
            }
        })
    }

    /// Closes all idle connections of this origin; returns how many.
    pub(crate) fn close_idle(self: &Arc<Self>, reason: CloseReason) -> usize {
        self.with(|state, fx| state.close_idle(reason, fx))
    }

    // ---- connections opened ahead ----

    pub(crate) fn watch(&self) -> u64 {
        self.state.lock().watch()
    }

    pub(crate) fn unwatch(&self, id: u64) {
        let watcher = self.state.lock().unwatch(id);
        drop(watcher);
    }

    pub(crate) fn poll_watcher(
        &self,
        id: u64,
        target: usize,
        more: bool,
        cx: &Context<'_>,
    ) -> Warmth {
        self.state.lock().poll_watcher(id, target, more, cx)
    }

    /// Begins a dial that nobody waits for, if a permit is free and there is room.
    pub(crate) fn dial_ahead(self: &Arc<Self>) -> bool {
        let Some(permit) = self.shared.total.try_request(self) else {
            return false;
        };
        // A shutdown may have taken it for a dial about to begin: it looks again when the permit
        // has gone back unused.
        let _bell = self.shared.alive.enter();
        let used = self.state.lock().use_permit(permit);
        let Ok((permit, tag)) = used else {
            return false;
        };
        dial::spawn(self, permit, tag);
        true
    }

    /// Dials until the origin has as many connections as it is to keep. Only from within a task, as
    /// it spawns.
    pub(crate) fn replenish(self: &Arc<Self>) {
        while self.state.lock().is_below_minimum()
            && self.shared.may_idle_more()
            && self.dial_ahead()
        {}
    }

    /// Drops the claim that the idle index holds an entry, unless there is an idle connection
    /// again; returns its time then.
    pub(crate) fn unlist_unless_idle(&self) -> Option<Instant> {
        let mut state = self.state.lock();
        let oldest = state.oldest_idle();
        if oldest.is_none() {
            state.unlist();
        }
        oldest
    }

    /// What there is, and what was done, at one moment.
    pub(crate) fn figures(&self) -> (Counts, StateTotals) {
        let state = self.state.lock();
        (state.counts(), state.totals())
    }

    /// Whether no connection or dial of this origin holds a permit. Of a pool whose last user is
    /// gone it is told by an atomic, so that it can be asked under the lock of a map.
    pub(crate) fn is_vacant(&self) -> bool {
        self.held.load(Ordering::Relaxed) == 0
    }

    /// The error of a request that waited too long.
    pub(crate) fn acquire_timeout(&self, waited: Duration) -> Error {
        let (counts, short, limits) = {
            let state = self.state.lock();
            (state.counts(), state.is_short_of_permits(), state.limits())
        };
        let (limit, in_use) = if short {
            let (limit, used) = self.shared.total.usage();
            (limit, used.saturating_sub(self.shared.index.idle()))
        } else {
            (limits.connections, counts.dialing + counts.active)
        };
        Error::new(ErrorKind::AcquireTimeout {
            waited,
            in_use,
            limit,
        })
        .with_phase(Phase::Acquire)
        .with_origin(self.key.origin().clone())
    }

    fn with<R>(self: &Arc<Self>, operation: impl FnOnce(&mut Locked, &mut Fx) -> R) -> R {
        let mut fx = Fx::default();
        let result = operation(&mut self.state.lock(), &mut fx);
        self.apply(fx);
        result
    }

    /// Carries out what an operation left to do. Asking for permits may leave more to do.
    fn apply(self: &Arc<Self>, fx: Fx) {
        let mut next = Some(fx);
        while let Some(fx) = next.take() {
            if fx.idle_change != 0 {
                self.shared.index.add(fx.idle_change);
            }
            if let Some(since) = fx.list {
                self.shared.index.push(since, Arc::downgrade(self));
            }
            for ticket in fx.withdraw {
                self.shared.total.withdraw(ticket);
            }
            for waker in fx.wake {
                waker.wake();
            }
            drop(fx.close);
            drop((fx.spent, fx.errors));
            if !fx.release.is_empty() {
                // A shutdown may have taken them for dials about to begin: it looks again.
                let _bell = self.shared.alive.enter();
                drop(fx.release);
            }
            if fx.ask > 0 {
                next = Some(self.ask(fx.ask));
            }
        }
    }

    fn ask(self: &Arc<Self>, permits: usize) -> Fx {
        let mut fx = Fx::default();
        // The head's time is the claim's: origins are served in the order of their waiters.
        let since = self.state.lock().head_since().unwrap_or_else(Instant::now);
        for left in (1..=permits).rev() {
            match self.shared.total.request(self, since) {
                Ok(permit) => self.state.lock().permit_granted(permit, &mut fx),
                Err(ticket) => {
                    self.state.lock().permit_queued(ticket, left, &mut fx);
                    self.shared.rebalance();
                    break;
                }
            }
        }
        fx
    }
}

impl Drop for OriginPool {
    /// The connections that idle here close with it. Others may live on under the same limits.
    fn drop(&mut self) {
        let idle = self.state.lock().idle();
        self.shared.index.add(-idle.cast_signed());
    }
}

impl Claimant for OriginPool {
    fn held(&self) -> &Arc<AtomicUsize> {
        &self.held
    }

    fn permit_arrived(self: Arc<Self>, ticket: Ticket, permit: Permit<Self>) {
        self.with(|state, fx| state.permit_arrived(ticket, permit, fx));
    }
}
