use http::Uri;
use standpipe_core::sync::atomic::{Ordering, fence};
use standpipe_core::sync::{Arc, Mutex};
use standpipe_core::{Error, Origin, OriginMap};

use crate::Eviction;
use crate::builder::Settings;
use crate::clock::Clock;
use crate::host::{Host, Lease};
use crate::lru::LruQueue;

/// Busy hosts looked at in search of an idle one, for each insertion: nothing else pays for these.
const BUSY_LOOKS: usize = 16;

/// While there are more hosts than allowed, requests to known ones look again so often.
const RETRY_NANOS: u64 = 100_000_000;

/// The known hosts and the order in which they go.
///
/// Lock order: the queue, then the map. The map gains a host before the queue does and loses it
/// under the queue's lock, so a host in the queue is always in the map. A request to a known host
/// takes the map's shared lock alone.
#[derive(Debug)]
pub(crate) struct Hosts<S> {
    map: OriginMap<Arc<Host<S>>>,
    queue: Mutex<LruQueue<Arc<Host<S>>>>,
    clock: Arc<Clock>,
    settings: Settings,
}

type Evicted<S> = Vec<(Arc<Host<S>>, Eviction)>;

/// What became of an attempt to evict a host.
enum Attempt {
    Gone,
    InFlight,
    UsedAt(u64),
}

impl<S> Hosts<S> {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            map: OriginMap::new(),
            queue: Mutex::new(LruQueue::new()),
            clock: Arc::new(Clock::new()),
            settings,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// The host of `uri`, made by `new_host` when it is not known, held for one request.
    pub(crate) fn lease(
        &self,
        uri: &Uri,
        new_host: impl FnOnce(&Origin) -> S,
    ) -> Result<Lease<S>, Error> {
        // A second handle on what is made here: where another thread was first, the map drops
        // its own under its lock, and the service must not be dropped there.
        let mut made = None;
        let lease = Lease(self.map.get_or_insert_with(uri, |origin| {
            let service = new_host(origin);
            let host = Arc::new(Host::new(origin.clone(), service, &self.clock));
            made = Some(Arc::clone(&host));
            host
        })?);
        match made {
            Some(made) if Arc::ptr_eq(&made, &lease.0) => self.admit(made),
            None if self.clock.take_due() => self.sweep(),
            Some(_) | None => {}
        }
        Ok(lease)
    }

    fn admit(&self, host: Arc<Host<S>>) {
        let now = self.clock.now();
        let evicted = {
            let mut queue = self.queue.lock();
            // The race: removed by hand between its insertion into the map and here.
            if !host.is_removed() {
                queue.push(now, host);
            }
            self.evict(&mut queue, now)
        };
        self.report(evicted);
    }

    fn sweep(&self) {
        let now = self.clock.now();
        let evicted = self.evict(&mut self.queue.lock(), now);
        self.report(evicted);
    }

    /// Takes out all that have to go, for the caller to drop without the lock.
    fn evict(&self, queue: &mut LruQueue<Arc<Host<S>>>, now: u64) -> Evicted<S> {
        let Settings {
            max_hosts, idle, ..
        } = self.settings;
        let mut evicted = Vec::new();
        let mut busy_looks = BUSY_LOOKS;
        while let Some(why) = queue.due(now, max_hosts, idle)
            && let Some((queued_at, host)) = queue.head()
        {
            match self.try_evict(host, queued_at) {
                Attempt::Gone => evicted.extend(queue.pop().map(|host| (host, why))),
                Attempt::UsedAt(time) => queue.requeue(time),
                Attempt::InFlight if why == Eviction::Idle => queue.requeue(now),
                Attempt::InFlight if busy_looks == 0 => break,
                Attempt::InFlight => {
                    busy_looks -= 1;
                    queue.requeue(now);
                }
            }
        }
        self.clock.sweep_at(self.next_sweep(queue, now));
        evicted
    }

    /// Takes `host` out of the map, unless it is in use or was used after `queued_at`.
    fn try_evict(&self, host: &Arc<Host<S>>, queued_at: u64) -> Attempt {
        let last_used = host.last_used();
        if last_used > queued_at {
            return Attempt::UsedAt(last_used);
        }
        let mut attempt = Attempt::InFlight;
        self.map.remove_if_counted(&host.origin, |_, copies| {
            // The map's own and the queue's. No other call can find the host meanwhile.
            if Arc::strong_count(host) > copies + 1 {
                return false;
            }
            // Pairs with the release of the last request's handle: its stamp is seen.
            fence(Ordering::Acquire);
            let last_used = host.last_used();
            attempt = if last_used > queued_at {
                Attempt::UsedAt(last_used)
            } else {
                Attempt::Gone
            };
            matches!(attempt, Attempt::Gone)
        });
        attempt
    }

    /// No host can become due before the head does, and an eighth of the idle time is often
    /// enough to look.
    fn next_sweep(&self, queue: &LruQueue<Arc<Host<S>>>, now: u64) -> u64 {
        if queue.len() > self.settings.max_hosts {
            return now.saturating_add(RETRY_NANOS);
        }
        match (self.settings.idle, queue.head()) {
            (Some(idle), Some((queued_at, _))) => queued_at
                .saturating_add(idle)
                .max(now.saturating_add(idle / 8)),
            _ => u64::MAX,
        }
    }

    fn report(&self, evicted: Evicted<S>) {
        for (host, why) in evicted {
            if let Some(hook) = &self.settings.on_evict {
                hook(&host.origin, why);
            }
        }
    }

    pub(crate) fn get(&self, origin: &Origin) -> Option<Arc<Host<S>>> {
        self.map.get_origin(origin)
    }

    pub(crate) fn remove(&self, origin: &Origin) -> bool {
        match self.map.get_origin(origin) {
            Some(host) => self.remove_all(vec![host]) > 0,
            None => false,
        }
    }

    pub(crate) fn retain(&self, mut keep: impl FnMut(&Origin, &S) -> bool) {
        let mut leaving = self.snapshot();
        leaving.retain(|host| !keep(&host.origin, &host.service));
        self.remove_all(leaving);
    }

    /// Removes those that are still there, in flight or not; says how many they were.
    fn remove_all(&self, hosts: Vec<Arc<Host<S>>>) -> usize {
        if hosts.is_empty() {
            return 0;
        }
        let (removed, _gone_before): (Vec<_>, Vec<_>) = {
            let mut queue = self.queue.lock();
            let split = hosts.into_iter().partition(|host| {
                let same = |found: &Arc<Host<S>>| Arc::ptr_eq(found, host);
                let found = self.map.remove_if(&host.origin, same).is_some();
                if found {
                    host.set_removed();
                }
                found
            });
            queue.retain(|host| !host.is_removed());
            split
        };
        let count = removed.len();
        let removed = removed.into_iter();
        self.report(removed.map(|host| (host, Eviction::Removed)).collect());
        count
    }

    pub(crate) fn snapshot(&self) -> Vec<Arc<Host<S>>> {
        let pairs = self.map.snapshot().into_iter();
        pairs.map(|(_, host)| host).collect()
    }
}
