//! What all origins of a transport share.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Weak};
use std::time::Duration;

use foldhash::fast::RandomState;
use standpipe_core::Origin;
use standpipe_core::sync::Mutex;

use tokio_util::sync::{CancellationToken, DropGuard};

use super::OriginPool;
use super::index::IdleIndex;
use super::state::Limits;
use super::total::Total;
use crate::config::PoolLimits;
use crate::key::{ConnectionKey, DialConfig};

/// The limits over all origins, and the list of the origins.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) lifetimes: Arc<Lifetimes>,
    pub(crate) max_idle: usize,
    pub(crate) total: Arc<Total<OriginPool>>,
    pub(crate) index: IdleIndex<OriginPool>,
    pools: Mutex<Pools>,
    /// Cancelled when the last handle is gone.
    closed: DropGuard,
}

/// How long a connection may idle, live and serve.
#[derive(Debug)]
pub(crate) struct Lifetimes {
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_requests: u64,
    max_lifetime: Option<Duration>,
    jitter: RandomState,
}

impl Lifetimes {
    /// The lifetime of connection `id`: the set one, give or take a tenth.
    pub(crate) fn lifetime_of(&self, id: u64) -> Option<Duration> {
        let hash = self.jitter.hash_one(id);
        // The upper 53 bits as a number in 0..1.
        let unit = (hash >> 11) as f64 / (1u64 << 53) as f64;
        const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        self.max_lifetime
            .map(|lifetime| lifetime.min(LONGEST).mul_f64(unit.mul_add(0.2, 0.9)))
    }
}

#[derive(Debug, Default)]
struct Pools {
    by_key: HashMap<ConnectionKey, Weak<OriginPool>>,
    /// At this many entries those of pools that are gone are cleared out.
    sweep_at: usize,
    /// The transport was closed.
    refusing: bool,
}

impl Shared {
    pub(crate) fn new(limits: &PoolLimits) -> Self {
        Self {
            limits: Limits {
                connections: limits.max_connections_per_host,
                idle: limits.max_idle_per_host,
                waiting: limits.max_waiting_per_host.unwrap_or(usize::MAX),
            },
            lifetimes: Arc::new(Lifetimes {
                idle_timeout: limits.idle_timeout,
                max_lifetime: limits.max_lifetime,
                max_requests: limits.max_requests_per_connection.unwrap_or(u64::MAX),
                jitter: RandomState::default(),
            }),
            max_idle: limits.max_idle,
            total: Arc::new(Total::new(limits.max_connections)),
            index: IdleIndex::new(),
            pools: Mutex::default(),
            closed: CancellationToken::new().drop_guard(),
        }
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
        if pools.by_key.len() >= pools.sweep_at {
            pools.by_key.retain(|_, pool| pool.strong_count() > 0);
            pools.sweep_at = 2 * pools.by_key.len() + 16;
        }
        let pool = OriginPool::new(key.clone(), Arc::clone(config), Arc::clone(self));
        let pool = Arc::new(pool);
        pools.by_key.insert(key, Arc::downgrade(&pool));
        let refused = pools.refusing;
        drop(pools);
        if refused {
            pool.close();
        }
        pool
    }

    /// Refuses new requests and fails those that wait; returns how many those were.
    pub(crate) fn close(&self) -> usize {
        self.pools.lock().refusing = true;
        self.pools().iter().map(OriginPool::close).sum()
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
        if self.total.short() > 0 || self.index.idle() > self.max_idle {
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
            while self.index.idle() > self.max_idle && self.evict_oldest(false) {}
            // The race: a connection came to idle after this looked for one, and whoever brought it found
            // nobody short, since one was counted as being closed already.
            if self.total.short() == 0 || self.index.is_empty() {
                return;
            }
        }
    }

    /// Closes the least recently used idle connection of all.
    pub(crate) fn evict_oldest(&self, for_line: bool) -> bool {
        while let Some(entry) = self.index.pop() {
            let Some(pool) = entry.origin.upgrade() else {
                continue;
            };
            let Some(oldest) = pool.unlist_unless_idle() else {
                continue;
            };
            if oldest > entry.since {
                // The entry's time was a lower bound; now it is exact, and may not be the least.
                self.index.push(oldest, entry.origin);
                continue;
            }
            let evicted = pool.evict_oldest(for_line);
            if let Some(next) = pool.unlist_unless_idle() {
                self.index.push(next, entry.origin);
            }
            if evicted {
                return true;
            }
        }
        false
    }
}
