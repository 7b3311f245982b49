use standpipe_core::Origin;
use standpipe_core::sync::Arc;
use standpipe_core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::clock::Clock;

/// A known host. Whoever holds it besides the map has a request in flight, or is looking at it.
#[derive(Debug)]
pub(crate) struct Host<S> {
    pub(crate) service: S,
    pub(crate) place: Arc<Place>,
    /// The place's own, here for the end of each request.
    clock: Arc<Clock>,
}

/// What stays when the service of a host is replaced: its name, and its turn to go.
///
/// The queue holds one, and every service of the host that is still in use another. So while
/// requests run on a service that was replaced, the count of this shows it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) origin: Origin,
    clock: Arc<Clock>,
    last_used: AtomicU64,
    removed: AtomicBool,
}

impl<S> Host<S> {
    pub(crate) fn new(origin: Origin, service: S, clock: &Arc<Clock>) -> Self {
        Self::at(Arc::new(Place::new(origin, clock)), service)
    }

    /// The same host with another service.
    pub(crate) fn with_service(&self, service: S) -> Self {
        Self::at(Arc::clone(&self.place), service)
    }

    fn at(place: Arc<Place>, service: S) -> Self {
        let clock = Arc::clone(&place.clock);
        Self {
            service,
            place,
            clock,
        }
    }
}

impl Place {
    fn new(origin: Origin, clock: &Arc<Clock>) -> Self {
        Self {
            origin,
            clock: Arc::clone(clock),
            last_used: AtomicU64::new(0),
            removed: AtomicBool::new(false),
        }
    }

    /// When its last request ended.
    pub(crate) fn last_used(&self) -> u64 {
        self.last_used.load(Ordering::Relaxed)
    }

    /// Whether it was removed by hand. Read and written under the queue's lock.
    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }

    pub(crate) fn set_removed(&self) {
        self.removed.store(true, Ordering::Relaxed);
    }
}

/// One request in flight: while it lives its host is not evicted.
#[derive(Debug)]
pub(crate) struct Lease<S>(pub(crate) Arc<Host<S>>);

impl<S> Drop for Lease<S> {
    fn drop(&mut self) {
        // Stamped at the end and not at the start: while the request runs the count protects the
        // host, and a host is idle from the end of its last request on.
        let now = self.0.clock.end_of_request();
        self.0.place.last_used.store(now, Ordering::Relaxed);
    }
}
