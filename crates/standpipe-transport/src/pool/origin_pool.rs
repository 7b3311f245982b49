//! The pool of one origin: the state machine behind its lock, and its effects carried out.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use standpipe_core::queue::Ticket;
use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicUsize, Ordering};
use standpipe_core::{Error, ErrorKind, Phase};
use tokio::time::Instant;

use super::effects::Effects;
use super::state::{Counts, Found, Handle, Sharing, State, Sweep};
use super::total::{Claimant, Permit};
use super::{Channel, Shared, counters::Counters, dial};
use crate::config::Protocol;
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
    /// Permits in this origin's hands, for the line to see without this origin's lock.
    held: AtomicUsize,
    state: Mutex<Locked>,
}

impl OriginPool {
    pub(crate) fn new(key: ConnectionKey, config: Arc<DialConfig>, shared: Arc<Shared>) -> Self {
        let sharing = match config.protocol {
            Protocol::Http2 => Sharing::Shared,
            Protocol::Auto if key.origin().is_https() => Sharing::Unknown,
            Protocol::Auto | Protocol::Http1 => Sharing::Exclusive,
        };
        let state = Mutex::new(State::new(shared.limits, sharing));
        Self {
            key,
            config,
            shared,
            counters: Counters::default(),
            held: AtomicUsize::new(0),
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
        let ticket = self.with(|state, fx| state.join(now, fx));
        if ticket.is_ok() {
            self.counters.waited();
        }
        ticket.map_err(|error| error.with_origin(self.key.origin().clone()))
    }

    /// Looks at a place in the queue; begins the dials whose turn it is.
    pub(crate) fn poll_waiter(
        self: &Arc<Self>,
        ticket: Ticket,
        cx: &Context<'_>,
    ) -> Poll<Result<Channel, Error>> {
        loop {
            let (found, covers) = {
                let mut state = self.state.lock();
                (state.poll_waiter(ticket, cx), state.next_serial())
            };
            match found {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Found::Grant(grant)) => return Poll::Ready(grant),
                Poll::Ready(Found::Dial(permit)) => dial::spawn(self, permit, covers),
            }
        }
    }

    pub(crate) fn leave(self: &Arc<Self>, ticket: Ticket) {
        let now = Instant::now();
        self.with(|state, fx| state.leave(ticket, now, fx));
        // A grant that was not collected may idle now.
        self.shared.rebalance();
    }

    /// A lease ended well.
    pub(crate) fn put_back(self: &Arc<Self>, channel: Channel) {
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
            self.put_back(channel);
        } else {
            channel.meta.close();
        }
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
            self.with(|state, fx| state.drain(id, fx));
            return false;
        }
        channel.meta.close();
        true
    }

    pub(crate) fn settled(self: &Arc<Self>, id: u64) {
        let now = Instant::now();
        self.with(|state, fx| state.settled(id, now, fx));
        self.shared.rebalance();
    }

    pub(crate) fn dialed(self: &Arc<Self>, channel: Channel, sharing: Sharing) {
        let now = Instant::now();
        self.counters.created();
        self.with(|state, fx| state.dialed(channel, sharing, now, fx));
        self.shared.rebalance();
    }

    pub(crate) fn dial_failed(self: &Arc<Self>, error: Error, covers: u64) {
        self.counters.dial_failed();
        self.with(|state, fx| state.dial_failed(error, covers, fx));
    }

    pub(crate) fn slot_closed(self: &Arc<Self>) {
        self.with(|state, fx| state.slot_closed(fx));
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

    pub(crate) fn retire(self: &Arc<Self>, id: u64) {
        self.with(|state, fx| state.retire(id, fx));
    }

    pub(crate) fn close(self: &Arc<Self>) -> usize {
        self.with(|state, fx| state.close(fx))
    }

    /// Closes the least recently used idle connection of this origin.
    pub(crate) fn evict_oldest(self: &Arc<Self>, for_line: bool) -> bool {
        self.with(|state, fx| {
            loop {
                let before = fx.close.len();
                if state.evict_oldest(fx).is_none() {
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

    pub(crate) fn counts(&self) -> Counts {
        self.state.lock().counts()
    }

    /// Whether no connection or dial of this origin holds a permit. Of a pool whose last user is
    /// gone it is told by an atomic, so that it can be asked under the lock of a map.
    pub(crate) fn is_vacant(&self) -> bool {
        self.held.load(Ordering::Relaxed) == 0
    }

    /// The error of a request that waited too long.
    pub(crate) fn acquire_timeout(&self, waited: Duration) -> Error {
        let (counts, short) = {
            let state = self.state.lock();
            (state.counts(), state.is_short_of_permits())
        };
        let (limit, in_use) = if short {
            let (limit, used) = self.shared.total.usage();
            (limit, used.saturating_sub(self.shared.index.idle()))
        } else {
            (
                self.shared.limits.connections,
                counts.dialing + counts.active,
            )
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
            drop(fx.release);
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
    fn held(&self) -> &AtomicUsize {
        &self.held
    }

    fn permit_arrived(self: Arc<Self>, ticket: Ticket, permit: Permit<Self>) {
        self.with(|state, fx| state.permit_arrived(ticket, permit, fx));
    }
}

/// The right of one connection to exist, from before its dial to the drop of its IO.
#[derive(Debug)]
pub(crate) struct Slot {
    pool: Weak<OriginPool>,
    permit: Permit<OriginPool>,
}

impl Slot {
    pub(crate) fn new(pool: &Arc<OriginPool>, permit: Permit<OriginPool>) -> Self {
        Self {
            pool: Arc::downgrade(pool),
            permit,
        }
    }

    pub(crate) fn set_evicted(&mut self) {
        self.permit.set_evicted();
    }
}

impl Drop for Slot {
    /// The origin hears of it first, so that one which is short of a permit itself is in the line
    /// before the permit goes to the line's head, which then drops with the field.
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.slot_closed();
        }
    }
}
