//! The pool of one origin: the state machine behind its lock, and its effects carried out.

mod ahead;
mod apply;
mod removal;
mod returned;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use standpipe_core::queue::Ticket;
use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicUsize, Ordering};
use standpipe_core::{Error, ErrorKind, Phase};
use tokio::time::Instant;

use super::calm::Calm;
use super::effects::Effects;
use super::state::{Counts, DialTag, Found, Limits, Sharing, State, StateTotals};
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
