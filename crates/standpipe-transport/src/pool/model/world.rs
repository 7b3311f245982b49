//! Several origins over the real [`Total`] and [`IdleIndex`], with effects carried out as
//! `OriginPool` and `Shared` do it. Between two locked sections something else may happen.

use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Weak};

use standpipe_core::queue::Ticket;
use standpipe_core::sync::Mutex;
use tokio::time::{Duration, Instant};

use super::super::effects::Effects;
use super::super::fake::{Fake, Link};
use super::super::index::{Entry, IdleIndex};
use super::super::state::{Handle, Limits, Sharing, State};
use super::super::total::{Claimant, Permit, Total};
use crate::events::CloseReason;

type Fx = Effects<Fake, Permit<Unit>>;
type Locked = State<Fake, Permit<Unit>>;

/// A small generator (xorshift64*), so that a seed is one number and nothing else.
#[derive(Debug)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap_or(0) % bound.max(1)
    }
}

/// A connection whose IO or driver is alive.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) link: Arc<Link>,
    pub(super) unit: usize,
    pub(super) permit: Option<Permit<Unit>>,
    /// It ends: the peer, or the drop of the last handle, has closed it.
    pub(super) ending: bool,
    pub(super) driver_ended: bool,
}

/// What the world itself keeps, which it looks up under an origin's lock as well: one thread runs the model.
#[derive(Debug, Default)]
pub(super) struct Book<T>(std::cell::RefCell<T>);

impl<T> Book<T> {
    fn new(value: T) -> Self {
        Self(value.into())
    }

    pub(super) fn lock(&self) -> std::cell::RefMut<'_, T> {
        self.0.borrow_mut()
    }
}

/// What all origins have in common.
#[derive(Debug)]
pub(super) struct World {
    pub(super) total: Arc<Total<Unit>>,
    pub(super) index: IdleIndex<Unit>,
    pub(super) max_idle: Book<usize>,
    /// The permits in use when all was looked at last.
    pub(super) ceiling: Book<usize>,
    pub(super) units: Book<Vec<Arc<Unit>>>,
    pub(super) live: Book<Vec<Live>>,
    pub(super) rng: Book<Rng>,
    now: Book<Instant>,
    /// Something happens in between already.
    preempting: AtomicBool,
}

/// One origin.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) number: usize,
    pub(super) limits: Mutex<Limits>,
    pub(super) state: Mutex<Locked>,
    /// The sum of `Effects::idle_change`.
    pub(super) idle: AtomicIsize,
    /// The permits in its hands when it was looked at last.
    pub(super) ceiling: AtomicUsize,
    held: Arc<AtomicUsize>,
    world: Weak<World>,
}

impl World {
    pub(super) fn new(seed: u64, max: Option<usize>, max_idle: usize) -> Arc<Self> {
        Arc::new(Self {
            total: Arc::new(Total::new(max)),
            index: IdleIndex::new(),
            max_idle: Book::new(max_idle),
            ceiling: Book::default(),
            units: Book::default(),
            live: Book::default(),
            rng: Book::new(Rng::new(seed)),
            now: Book::new(Instant::now()),
            preempting: AtomicBool::new(false),
        })
    }

    pub(super) fn add(self: &Arc<Self>, limits: Limits, sharing: Sharing) {
        let mut units = self.units.lock();
        let number = units.len();
        units.push(Arc::new(Unit {
            number,
            limits: Mutex::new(limits),
            state: Mutex::new(State::new(limits, sharing)),
            idle: AtomicIsize::new(0),
            ceiling: AtomicUsize::new(0),
            held: Arc::default(),
            world: Arc::downgrade(self),
        }));
    }

    pub(super) fn unit(&self, number: usize) -> Arc<Unit> {
        Arc::clone(&self.units.lock()[number])
    }

    pub(super) fn below(&self, bound: usize) -> usize {
        self.rng.lock().below(bound)
    }

    pub(super) fn now(&self) -> Instant {
        *self.now.lock()
    }

    /// Time passes; no two arrivals have the same time.
    pub(super) fn tick(&self, by: Duration) -> Instant {
        let mut now = self.now.lock();
        *now += by + Duration::from_nanos(1);
        *now
    }

    /// A thread may stop between two locked sections, and another one goes on.
    fn preempt(&self) {
        if self.below(8) == 0 && !self.preempting.swap(true, SeqCst) {
            self.go_on_ending();
            self.preempting.store(false, SeqCst);
        }
    }

    /// One step of the end of some connection; whether there was one.
    pub(super) fn go_on_ending(&self) -> bool {
        let mut live = self.live.lock();
        for live in live.iter_mut() {
            live.ending |= live.link.handles.load(SeqCst) == 0;
        }
        let ending: Vec<usize> = (0..live.len()).filter(|at| live[*at].ending).collect();
        if ending.is_empty() {
            return false;
        }
        let at = ending[self.below(ending.len())];
        let entry = &mut live[at];
        let unit = self.unit(entry.unit);
        let (link, io_first) = (Arc::clone(&entry.link), !entry.link.shared);
        let ends_driver =
            !entry.driver_ended && (entry.permit.is_none() || (!io_first && self.below(2) == 0));
        if ends_driver {
            entry.driver_ended = true;
            drop(live);
            link.spent.store(true, SeqCst);
            unit.with(|state, fx| state.driver_ended(link.id, fx));
        } else if let Some(permit) = entry.permit.take() {
            drop(live);
            link.ready.store(false, SeqCst);
            end_slot(&unit, permit, Some(&link));
        } else {
            live.remove(at);
        }
        true
    }

    pub(super) fn rebalance(&self) {
        self.preempt();
        if self.total.short() > 0 || self.has_too_many_idle() {
            while self.total.begin_evict() {
                self.preempt();
                if !self.evict_oldest(true) {
                    self.total.abandon_evict();
                    break;
                }
            }
            while self.has_too_many_idle() && self.evict_oldest(false) {}
        }
    }

    fn has_too_many_idle(&self) -> bool {
        self.index.idle() > *self.max_idle.lock()
    }

    pub(super) fn evict_oldest(&self, for_line: bool) -> bool {
        while let Some(entry) = self.index.pop() {
            self.preempt();
            let (evicted, left) = look_at(&entry, for_line);
            let left = left.map(|since| Entry {
                since,
                origin: entry.origin,
            });
            self.preempt();
            if self.index.back(left) {
                self.rebalance();
            }
            if evicted {
                return true;
            }
        }
        false
    }
}

fn look_at(entry: &Entry<Unit>, for_line: bool) -> (bool, Option<Instant>) {
    let Some(unit) = entry.origin.upgrade() else {
        return (false, None);
    };
    let oldest = unit.unlist_unless_idle();
    if oldest.is_none_or(|oldest| oldest > entry.since) {
        return (false, oldest);
    }
    let evicted = unit.evict_oldest(for_line);
    (evicted, unit.unlist_unless_idle())
}

/// As the drop of a `Slot`: the origin hears of it before the line does.
pub(super) fn end_slot(unit: &Arc<Unit>, mut permit: Permit<Unit>, link: Option<&Arc<Link>>) {
    if link.is_some_and(|link| link.permit_gone()) {
        permit.set_evicted();
    }
    unit.with(|state, fx| state.slot_closed(link, fx));
    unit.world().preempt();
    drop(permit);
}

impl Unit {
    pub(super) fn world(&self) -> Arc<World> {
        self.world.upgrade().expect("the world outlives its units")
    }

    pub(super) fn checkout(self: &Arc<Self>) -> Option<Fake> {
        self.with(|state, fx| state.checkout(fx))
    }

    pub(super) fn leave(self: &Arc<Self>, ticket: Ticket) {
        let world = self.world();
        self.with(|state, fx| state.leave(ticket, world.now(), fx));
        world.rebalance();
    }

    pub(super) fn put_back(self: &Arc<Self>, handle: Fake) {
        let world = self.world();
        if world.total.short() > 0 && self.yields(&handle) {
            return;
        }
        world.preempt();
        self.with(|state, fx| state.put_back(handle, world.now(), fx));
        world.rebalance();
    }

    fn yields(self: &Arc<Self>, handle: &Fake) -> bool {
        let world = self.world();
        let head = self.state.lock().head_since();
        world.preempt();
        if !world.total.begin_yield(self, head) {
            return false;
        }
        world.preempt();
        if handle.is_shared() {
            self.with(|state, fx| state.drain(handle.id(), CloseReason::Yielded, fx));
            return false;
        }
        // Dropped by the caller, it closes.
        true
    }

    fn evict_oldest(self: &Arc<Self>, for_line: bool) -> bool {
        self.with(|state, fx| {
            while let Some(id) = state.evict_oldest(CloseReason::IdleLimit, fx) {
                let mut evicted = fx.close.iter().filter(|handle| handle.link.id == id);
                if !for_line
                    || evicted
                        .next()
                        .is_some_and(|handle| handle.link.set_evicted())
                {
                    return true;
                }
            }
            false
        })
    }

    fn unlist_unless_idle(&self) -> Option<Instant> {
        let mut state = self.state.lock();
        let oldest = state.oldest_idle();
        if oldest.is_none() {
            state.unlist();
        }
        oldest
    }

    pub(super) fn with<R>(
        self: &Arc<Self>,
        operation: impl FnOnce(&mut Locked, &mut Fx) -> R,
    ) -> R {
        let mut fx = Fx::default();
        let result = operation(&mut self.state.lock(), &mut fx);
        self.apply(fx);
        result
    }

    fn apply(self: &Arc<Self>, fx: Fx) {
        let world = self.world();
        let mut next = Some(fx);
        while let Some(fx) = next.take() {
            self.idle.fetch_add(fx.idle_change, SeqCst);
            world.index.add(fx.idle_change);
            if let Some(since) = fx.list {
                world.index.push(since, Arc::downgrade(self));
            }
            world.preempt();
            for ticket in fx.withdraw {
                world.total.withdraw(ticket);
            }
            for waker in fx.wake {
                waker.wake();
            }
            drop(fx.close);
            world.preempt();
            drop(fx.release);
            if fx.ask > 0 {
                next = Some(self.ask(fx.ask));
            }
        }
    }

    fn ask(self: &Arc<Self>, permits: usize) -> Fx {
        let mut fx = Fx::default();
        let world = self.world();
        let since = self
            .state
            .lock()
            .head_since()
            .unwrap_or_else(|| world.now());
        for left in (1..=permits).rev() {
            world.preempt();
            let answer = world.total.request(self, since);
            world.preempt();
            match answer {
                Ok(permit) => self.state.lock().permit_granted(permit, &mut fx),
                Err(ticket) => {
                    self.state.lock().permit_queued(ticket, left, &mut fx);
                    world.rebalance();
                    break;
                }
            }
        }
        fx
    }
}

impl Claimant for Unit {
    fn held(&self) -> &Arc<AtomicUsize> {
        &self.held
    }

    fn permit_arrived(self: Arc<Self>, ticket: Ticket, permit: Permit<Self>) {
        self.world().preempt();
        self.with(|state, fx| state.permit_arrived(ticket, permit, fx));
    }
}
