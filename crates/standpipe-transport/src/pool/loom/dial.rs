//! What stands in for the dial task: the model says how each dial ends, and when.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use standpipe_core::{ConnectionFacts, Error, ErrorKind, Phase};
use tokio::time::Instant;

use super::task::{Connection, ConnectionDriver, Tasks};
use crate::config::PoolLimits;
use crate::conn::{Channel, ConnMeta, DialGuard, Driver, PooledIo, Stream, Wire};
use crate::pool::{DialTag, OriginPool, Permit, Slot};

loom::thread_local! {
    /// The dials that a thread began and has not dealt with.
    static BEGUN: RefCell<Vec<Begun>> = RefCell::new(Vec::new());
}

thread_local! {
    /// The connections that exist, by origin. All threads of a model are one of the machine.
    static OPEN: RefCell<BTreeMap<usize, usize>> = const { RefCell::new(BTreeMap::new()) };
    static NEXT_ID: Cell<u64> = const { Cell::new(1) };
    /// The limits on connections of one origin, and in all.
    static LIMITS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// At the start of each interleaving.
pub(super) fn reset(limits: &PoolLimits) {
    OPEN.with_borrow_mut(BTreeMap::clear);
    NEXT_ID.set(1);
    let in_all = limits.max_connections.unwrap_or(usize::MAX);
    LIMITS.set((limits.max_connections_per_host, in_all));
}

/// How many connections and dials there are.
pub(super) fn open() -> usize {
    OPEN.with_borrow(|open| open.values().sum())
}

/// A dial under way.
pub(super) struct Begun {
    pool: Weak<OriginPool>,
    max_uses: u64,
    open: Open,
    slot: Slot,
    guard: DialGuard,
}

/// Counts one connection or dial against the limits; it goes before the permit does.
pub(super) struct Open(usize);

impl Open {
    fn new(pool: &Arc<OriginPool>) -> Self {
        let key = Arc::as_ptr(pool) as usize;
        OPEN.with_borrow_mut(|open| {
            *open.entry(key).or_default() += 1;
            let (of_one, in_all) = LIMITS.get();
            assert!(open[&key] <= of_one);
            assert!(open.values().sum::<usize>() <= in_all);
        });
        Self(key)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.with_borrow_mut(|open| *open.get_mut(&self.0).expect("it was counted") -= 1);
    }
}

/// In place of the function of this name in `crate::dial`.
pub(in crate::pool) fn spawn(pool: &Arc<OriginPool>, permit: Permit<OriginPool>, tag: DialTag) {
    let begun = Begun {
        open: Open::new(pool),
        guard: DialGuard::new(pool, tag),
        slot: Slot::new(pool, permit),
        pool: Arc::downgrade(pool),
        max_uses: pool.shared.lifetimes.max_requests,
    };
    BEGUN.with(|all| all.borrow_mut().push(begun));
}

/// Takes the dials that this thread began.
pub(super) fn begun() -> Vec<Begun> {
    BEGUN.with(|all| std::mem::take(&mut *all.borrow_mut()))
}

impl Begun {
    /// The dial ends well; the connection's task has yet to run.
    pub(super) fn succeed(self, tasks: &Arc<Tasks>, shared: bool) {
        let (meta, io) = established(self.slot, self.max_uses, shared);
        let wire = Wire::new();
        let connection = Connection::new(&wire, Some((self.open, io)));
        tasks.spawn(drive(connection, &wire, meta, self.guard, &self.pool));
    }

    /// As `succeed`, of a connection whose IO is in another task than its driver.
    pub(super) fn in_two_tasks(
        self,
        shared: bool,
    ) -> (Arc<Wire>, ConnectionDriver, impl Sized + 'static) {
        let (meta, io) = established(self.slot, self.max_uses, shared);
        let wire = Wire::new();
        let connection = Connection::new(&wire, None);
        let driver = drive(connection, &wire, meta, self.guard, &self.pool);
        (wire, driver, (self.open, io))
    }

    /// The parts of a connection that has no driver yet.
    pub(super) fn without_driver(self) -> (Arc<ConnMeta>, impl Sized + 'static, DialGuard) {
        let (meta, io) = established(self.slot, self.max_uses, false);
        (meta, (self.open, io), self.guard)
    }

    /// The dial fails; its IO goes first, as in `crate::dial`.
    pub(super) fn fail(self) {
        drop(self.open);
        drop(self.slot);
        self.guard
            .fail(Error::new(ErrorKind::Connect).with_phase(Phase::Dial));
    }
}

fn drive(
    connection: Connection,
    wire: &Arc<Wire>,
    meta: Arc<ConnMeta>,
    guard: DialGuard,
    pool: &Weak<OriginPool>,
) -> ConnectionDriver {
    let channel = Channel::over(wire, meta);
    let limit: fn(&Connection) -> Option<usize> = Connection::streams;
    Driver::new(connection, limit, channel, guard, pool, None, None)
}

fn established(slot: Slot, max_uses: u64, shared: bool) -> (Arc<ConnMeta>, PooledIo) {
    let version = if shared {
        http::Version::HTTP_2
    } else {
        http::Version::HTTP_11
    };
    let facts = ConnectionFacts::new(next_id(), version, Instant::now());
    let meta = Arc::new(ConnMeta::new(facts, shared, max_uses));
    let silence = tokio::io::join(tokio::io::empty(), tokio::io::sink());
    let stream = Stream::Plain(Box::new(silence));
    let io = PooledIo::new(stream, Arc::clone(&meta), slot, None);
    (meta, io)
}

fn next_id() -> u64 {
    let id = NEXT_ID.get();
    NEXT_ID.set(id + 1);
    id
}
