#[cfg(all(test, standpipe_loom))]
mod loom;

use std::cell::Cell;

use http::Uri;
use standpipe_core::sync::atomic::{AtomicU64, Ordering, fence};
use standpipe_core::sync::{Arc, Mutex};
use standpipe_core::{Error, Origin, OriginMap};

use crate::Eviction;
use crate::builder::Settings;
use crate::clock::Clock;
use crate::host::{Host, Lease, Place};
use crate::lru::LruQueue;

/// Busy hosts looked at in search of an idle one, for each insertion: nothing else pays for these.
const BUSY_LOOKS: usize = 16;

/// While there are more hosts than allowed, requests to known ones look again so often.
const RETRY_NANOS: u64 = 100_000_000;

/// The known hosts and the order in which they go.
///
/// Lock order: the queue, then the map. The map gains a host before the queue does and loses it
/// under the queue's lock, so a host in the queue is always in the map; a service that is replaced
/// changes neither who is in the map nor who is in the queue. A request to a known host takes the
/// map's shared lock alone.
#[derive(Debug)]
pub(crate) struct Hosts<S> {
    map: OriginMap<Arc<Host<S>>>,
    queue: Mutex<LruQueue<Arc<Place>>>,
    /// How often [`rebuild`](Hosts::rebuild) began.
    rebuilds: AtomicU64,
    clock: Arc<Clock>,
    settings: Settings,
}

type Evicted<S> = Vec<(Arc<Host<S>>, Eviction)>;

/// What became of an attempt to evict a host.
enum Attempt<S> {
    Gone(Arc<Host<S>>),
    InFlight,
    UsedAt(u64),
}

impl<S> Hosts<S> {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            map: OriginMap::new(),
            queue: Mutex::new(LruQueue::new()),
            rebuilds: AtomicU64::new(0),
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
        new_host: impl Fn(&Origin) -> S,
    ) -> Result<Lease<S>, Error> {
        // A second handle on what is made here: where another thread was first, the map drops
        // its own under its lock, and the service must not be dropped there.
        let mut made = None;
        let rebuilds = Cell::new(0);
        let make = |origin: &Origin| {
            // Pairs with the beginning of a rebuild: what was set before that is seen from here on.
            rebuilds.set(self.rebuilds.load(Ordering::Acquire));
            let service = new_host(origin);
            let host = Arc::new(Host::new(origin.clone(), service, &self.clock));
            made = Some(Arc::clone(&host));
            host
        };
        // The race: a rebuild that begins while the service is made does not know the host, and
        // the service may be made of what was set before.
        let current = || self.rebuilds.load(Ordering::Acquire) == rebuilds.get();
        let lease = Lease(self.map.get_or_insert_if(uri, make, current)?);
        match made {
            Some(made) if Arc::ptr_eq(&made, &lease.0) => self.admit(Arc::clone(&made.place)),
            None if self.clock.take_due() => self.sweep(),
            Some(_) | None => {}
        }
        Ok(lease)
    }

    fn admit(&self, place: Arc<Place>) {
        let now = self.clock.now();
        let evicted = {
            let mut queue = self.queue.lock();
            // The race: removed by hand between its insertion into the map and here.
            if !place.is_removed() {
                queue.push(now, place);
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
    fn evict(&self, queue: &mut LruQueue<Arc<Place>>, now: u64) -> Evicted<S> {
        let Settings {
            max_hosts, idle, ..
        } = self.settings;
        let mut evicted = Vec::new();
        let mut busy_looks = BUSY_LOOKS;
        while let Some(why) = queue.due(now, max_hosts, idle)
            && let Some((queued_at, place)) = queue.head()
        {
            match self.try_evict(place, queued_at) {
                Attempt::Gone(host) => {
                    queue.pop();
                    evicted.push((host, why));
                }
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

    /// Takes the host of `place` out of the map, unless it is in use or was used after `queued_at`.
    fn try_evict(&self, place: &Arc<Place>, queued_at: u64) -> Attempt<S> {
        let last_used = place.last_used();
        if last_used > queued_at {
            return Attempt::UsedAt(last_used);
        }
        let mut attempt = Attempt::InFlight;
        let gone = self.map.remove_if_counted(&place.origin, |host, copies| {
            // The host's own and the queue's; any further one is a service that was replaced and
            // is in use. No other call can find the host meanwhile.
            if Arc::strong_count(host) > copies || Arc::strong_count(place) > 2 {
                return false;
            }
            // Pairs with the release of the last request's handle: its stamp is seen.
            fence(Ordering::Acquire);
            let last_used = place.last_used();
            if last_used > queued_at {
                attempt = Attempt::UsedAt(last_used);
            }
            last_used <= queued_at
        });
        gone.map_or(attempt, Attempt::Gone)
    }

    /// No host can become due before the head does, and an eighth of the idle time is often
    /// enough to look.
    fn next_sweep(&self, queue: &LruQueue<Arc<Place>>, now: u64) -> u64 {
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
            let place = Arc::clone(&host.place);
            // Before the hook: what it is told of is gone.
            drop(host);
            if let Some(hook) = &self.settings.on_evict {
                hook(&place.origin, why);
            }
        }
    }

    pub(crate) fn get(&self, origin: &Origin) -> Option<Arc<Host<S>>> {
        self.map.get_origin(origin)
    }

    pub(crate) fn remove(&self, origin: &Origin) -> bool {
        match self.map.get_origin(origin) {
            Some(host) => self.remove_all(&[host]) > 0,
            None => false,
        }
    }

    pub(crate) fn retain(&self, mut keep: impl FnMut(&Origin, &S) -> bool) {
        let mut leaving = self.snapshot();
        leaving.retain(|host| !keep(&host.place.origin, &host.service));
        self.remove_all(&leaving);
    }

    /// Removes those that are still there, in flight or not; says how many they were.
    fn remove_all(&self, hosts: &[Arc<Host<S>>]) -> usize {
        if hosts.is_empty() {
            return 0;
        }
        let removed: Vec<_> = {
            let mut queue = self.queue.lock();
            // By the place: the service may have been replaced meanwhile.
            let remove = |host: &Arc<Host<S>>| {
                let same = |found: &Arc<Host<S>>| Arc::ptr_eq(&found.place, &host.place);
                self.map.remove_if(&host.place.origin, same)
            };
            let removed: Vec<_> = hosts.iter().filter_map(remove).collect();
            removed.iter().for_each(|host| host.place.set_removed());
            queue.retain(|place| !place.is_removed());
            removed
        };
        let count = removed.len();
        let removed = removed.into_iter();
        self.report(removed.map(|host| (host, Eviction::Removed)).collect());
        count
    }

    /// Puts what `f` gives in the place of each host's service.
    pub(crate) fn rebuild(&self, mut f: impl FnMut(&Origin, &S) -> Option<S>) {
        // Before the look at who is there: a host that is being made is either seen by that look,
        // or sees this when it goes into the map.
        self.rebuilds.fetch_add(1, Ordering::AcqRel);
        // Their names alone, so that none of them counts as in use before its turn.
        let known = self.map.snapshot().into_iter();
        let origins: Vec<Origin> = known.map(|(origin, _)| origin).collect();
        for origin in &origins {
            self.replace(origin, &mut f);
        }
    }

    /// Asks again where another rebuild was first.
    fn replace(&self, origin: &Origin, f: &mut impl FnMut(&Origin, &S) -> Option<S>) {
        while let Some(host) = self.map.get_origin(origin)
            && let Some(service) = f(origin, &host.service)
        {
            let new = Arc::new(host.with_service(service));
            let same = |found: &Arc<Host<S>>| Arc::ptr_eq(found, &host);
            if self.map.replace_if(origin, new, same).is_ok() {
                return;
            }
        }
    }

    pub(crate) fn snapshot(&self) -> Vec<Arc<Host<S>>> {
        let pairs = self.map.snapshot().into_iter();
        pairs.map(|(_, host)| host).collect()
    }
}
