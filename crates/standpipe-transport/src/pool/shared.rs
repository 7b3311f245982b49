//! What all origins of a transport share.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Weak};
use std::time::Duration;

use foldhash::fast::RandomState;
use standpipe_core::Origin;
use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::OriginPool;
use super::alive::Alive;
use super::index::{Entry, IdleIndex};
use super::state::{Closing, Limits};
use super::total::Total;
use crate::config::PoolLimits;
use crate::events::{CloseReason, Events};
use crate::key::{ConnectionKey, DialConfig};

/// The limits over all origins, and the list of the origins.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) lifetimes: Arc<Lifetimes>,
    max_idle: AtomicUsize,
    pub(crate) events: Events,
    pub(crate) alive: Arc<Alive>,
    pub(crate) total: Arc<Total<OriginPool>>,
    pub(crate) index: IdleIndex<OriginPool>,
    pools: Mutex<Pools>,
    /// The transport was closed.
    refusing: AtomicBool,
    /// Cancelled when the last handle is gone, or the transport is closed.
    closed: DropGuard,
}

/// How long a connection may idle, live and serve.
#[derive(Debug)]
pub(crate) struct Lifetimes {
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_requests: u64,
    max_lifetime: Option<Duration>,
    seed: u64,
}

impl Lifetimes {
    /// The lifetime of connection `id`: the set one, give or take a tenth.
    pub(crate) fn lifetime_of(&self, id: u64) -> Option<Duration> {
        let hash = mixed(
            self.seed
                .wrapping_add(id.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        );
        // The upper 53 bits as a number in 0..1.
        let unit = (hash >> 11) as f64 / (1u64 << 53) as f64;
        const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        self.max_lifetime
            .map(|lifetime| lifetime.min(LONGEST).mul_f64(unit.mul_add(0.2, 0.9)))
    }
}

/// The finaliser of splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
/// 2014): numbers that follow each other come out far apart.
fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[derive(Debug)]
struct Pools {
    by_key: HashMap<ConnectionKey, Weak<OriginPool>>,
    /// At this many entries those of pools that are gone are cleared out.
    sweep_at: usize,
    limits: Limits,
}

impl Shared {
    pub(crate) fn new(limits: &PoolLimits, events: Events) -> Self {
        Self {
            lifetimes: Arc::new(Lifetimes {
                idle_timeout: limits.idle_timeout,
                max_lifetime: limits.max_lifetime,
                max_requests: limits.max_requests_per_connection.unwrap_or(u64::MAX),
                seed: RandomState::default().hash_one(0),
            }),
            max_idle: AtomicUsize::new(limits.max_idle),
            events,
            alive: Arc::default(),
            total: Arc::new(Total::new(limits.max_connections)),
            index: IdleIndex::new(),
            pools: Mutex::new(Pools {
                by_key: HashMap::new(),
                sweep_at: 0,
                limits: Limits::of(limits),
            }),
            refusing: AtomicBool::new(false),
            closed: CancellationToken::new().drop_guard(),
        }
    }

    /// New limits, for all that there is and will be.
    pub(crate) fn set_limits(&self, limits: &PoolLimits) {
        let each = Limits::of(limits);
        self.pools.lock().limits = each;
        self.max_idle.store(limits.max_idle, Ordering::SeqCst);
        self.total.set_max(limits.max_connections);
        for pool in self.pools() {
            pool.set_limits(each);
        }
        self.rebalance();
    }

    /// What holds for each origin that has no limit of its own.
    pub(crate) fn limits(&self) -> Limits {
        self.pools.lock().limits
    }

    /// The pool of `origin` under `config`, made when there is none.
    pub(crate) fn pool(
        self: &Arc<Self>,
        origin: &Origin,
        config: &Arc<DialConfig>,
    ) -> Arc<OriginPool> {
        let key = ConnectionKey::new(origin.clone(), config);
        let mut pools = self.pools.lock();
        if let Some(pool) = pools.by_key.get(&key).and_then(Weak::upgrade) {
            return pool;
        }
        let mut gone = Vec::new();
        if pools.by_key.len() >= pools.sweep_at {
            let unused = pools.by_key.extract_if(|_, pool| pool.strong_count() == 0);
            gone.extend(unused);
            pools.sweep_at = 2 * pools.by_key.len() + 16;
        }
        let shared = Arc::clone(self);
        let pool = OriginPool::new(key.clone(), Arc::clone(config), shared, pools.limits);
        let pool = Arc::new(pool);
        pools.by_key.insert(key, Arc::downgrade(&pool));
        drop(pools);
        // A key may hold the last handle of a user's connector.
        drop(gone);
        // Whoever closes the transport sets the mark first and reads the list then.
        if self.is_refusing() {
            pool.close();
        }
        pool
    }

    /// Refuses new requests, fails those that wait, ends the dials and closes what is not in use.
    pub(crate) fn close(&self) -> Closing {
        self.refusing.store(true, Ordering::SeqCst);
        self.closed.token().cancel();
        let mut sum = Closing::default();
        for pool in self.pools() {
            let closing = pool.close();
            sum.waiting += closing.waiting;
            sum.in_flight += closing.in_flight;
        }
        sum
    }

    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing.load(Ordering::SeqCst)
    }

    /// Closes all connections under whoever uses them; returns how many requests that ended.
    pub(crate) fn cut(&self) -> usize {
        self.pools().iter().map(|pool| pool.cut()).sum()
    }

    /// Whether no connection and no task is left, and none is about to begin.
    pub(crate) fn is_gone(&self) -> bool {
        self.alive.is_empty() && self.pools().iter().all(|pool| pool.is_vacant())
    }

    /// Closes all idle connections; returns how many.
    pub(crate) fn close_idle(&self, reason: CloseReason) -> usize {
        let pools = self.pools();
        pools.iter().map(|pool| pool.close_idle(reason)).sum()
    }

    /// Whether one more connection may idle.
    pub(crate) fn may_idle_more(&self) -> bool {
        self.index.idle() < self.max_idle.load(Ordering::Relaxed)
    }

    /// What ends the dials with the last handle.
    pub(crate) fn closed(&self) -> CancellationToken {
        self.closed.token().clone()
    }

    /// All pools there are.
    pub(crate) fn pools(&self) -> Vec<Arc<OriginPool>> {
        let pools = self.pools.lock();
        pools.by_key.values().filter_map(Weak::upgrade).collect()
    }

    /// Closes idle connections as long as somebody is short of a permit, or too many idle.
    ///
    /// It runs after each event that can make either true, when the event is visible to others;
    /// so of two that race, the later one sees both.
    #[inline]
    pub(crate) fn rebalance(&self) {
        if self.total.short() > 0 || self.index.idle() > self.max_idle.load(Ordering::Relaxed) {
            self.close_surplus();
        }
    }

    #[cold]
    fn close_surplus(&self) {
        loop {
            while self.total.begin_evict() {
                if !self.evict_oldest(true) {
                    self.total.abandon_evict();
                    break;
                }
            }
            while self.index.idle() > self.max_idle.load(Ordering::Relaxed)
                && self.evict_oldest(false)
            {}
            // The race: a connection came to idle after this looked for one, and whoever brought it found
            // nobody short, since one was counted as being closed already.
            if self.total.short() == 0 || self.index.is_empty() {
                return;
            }
        }
    }

    /// Closes the least recently used idle connection of all.
    pub(super) fn evict_oldest(&self, for_line: bool) -> bool {
        while let Some(entry) = self.index.pop() {
            let (evicted, left) = look_at(&entry, for_line);
            let left = left.map(|since| Entry {
                since,
                origin: entry.origin,
            });
            // Another thread may have found the index empty but for this entry.
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

/// Closes the oldest idle connection of an origin, if the entry's time was exact; returns whether it
/// did, and the time that the origin's entry has from then on.
fn look_at(entry: &Entry<OriginPool>, for_line: bool) -> (bool, Option<Instant>) {
    let Some(pool) = entry.origin.upgrade() else {
        return (false, None);
    };
    let oldest = pool.unlist_unless_idle();
    if oldest.is_none_or(|oldest| oldest > entry.since) {
        // The entry's time was a lower bound; now it is exact, and may not be the least.
        return (false, oldest);
    }
    let evicted = pool.evict_oldest(for_line);
    (evicted, pool.unlist_unless_idle())
}

impl Limits {
    fn of(limits: &PoolLimits) -> Self {
        Self {
            connections: limits.max_connections_per_host,
            idle: limits.max_idle_per_host,
            waiting: limits.max_waiting_per_host.unwrap_or(usize::MAX),
            min_idle: limits.min_idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IDLE-09: consecutive numbers, as connections opened in a burst have them.
    #[test]
    fn the_lives_of_consecutive_connections_are_spread_evenly() {
        for seed in [0, 1, u64::MAX, 0x1234_5678] {
            let lifetimes = Lifetimes {
                idle_timeout: None,
                max_requests: u64::MAX,
                max_lifetime: Some(Duration::from_secs(1000)),
                seed,
            };
            let mut buckets = [0; 20];
            for id in 0..2000 {
                let life = lifetimes.lifetime_of(id).unwrap().as_secs_f64();
                assert!((900.0..1100.0).contains(&life));
                buckets[((life - 900.0) / 10.0) as usize] += 1;
            }
            assert!(
                buckets.iter().all(|n| (60..=140).contains(n)),
                "{buckets:?}"
            );
        }
    }
}
