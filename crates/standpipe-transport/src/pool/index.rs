//! Which origin holds the least recently used idle connection.

use std::cmp::Ordering as Order;
use std::collections::BinaryHeap;
use std::sync::Weak;

use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::Instant;

/// One entry for each origin that has idle connections, with a time that is not after its oldest
/// one. Entries are corrected when they come up, so that a request never touches the heap.
#[derive(Debug)]
pub(crate) struct IdleIndex<U> {
    heap: Mutex<BinaryHeap<Entry<U>>>,
    idle: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct Entry<U> {
    pub(crate) since: Instant,
    pub(crate) origin: Weak<U>,
}

impl<U> IdleIndex<U> {
    pub(crate) fn new() -> Self {
        Self {
            heap: Mutex::new(BinaryHeap::new()),
            idle: AtomicUsize::new(0),
        }
    }

    /// Notes a change in the number of idle connections.
    pub(crate) fn add(&self, change: isize) {
        // Wrapping, so that a decrease is the addition of its complement.
        self.idle
            .fetch_add(change.cast_unsigned(), Ordering::SeqCst);
    }

    /// How many connections idle in all. Counts come in after the lock of their origin was
    /// released, so it may for a moment be off by what is under way.
    pub(crate) fn idle(&self) -> usize {
        let idle = self.idle.load(Ordering::SeqCst);
        usize::try_from(idle.cast_signed()).unwrap_or(0)
    }

    pub(crate) fn push(&self, since: Instant, origin: Weak<U>) {
        self.heap.lock().push(Entry { since, origin });
    }

    /// The entry with the earliest time.
    pub(crate) fn pop(&self) -> Option<Entry<U>> {
        self.heap.lock().pop()
    }
}

impl<U> PartialEq for Entry<U> {
    fn eq(&self, other: &Self) -> bool {
        self.since == other.since
    }
}

impl<U> Eq for Entry<U> {}

impl<U> PartialOrd for Entry<U> {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl<U> Ord for Entry<U> {
    /// The heap gives its greatest entry first: that is the earliest.
    fn cmp(&self, other: &Self) -> Order {
        other.since.cmp(&self.since)
    }
}
