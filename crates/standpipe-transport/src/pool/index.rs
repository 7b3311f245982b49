//! Which origin holds the least recently used idle connection.

use std::cmp::Ordering as Order;
use std::collections::BinaryHeap;
use std::sync::Weak;

use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::Instant;

const FIRST_SWEEP: usize = 64;

/// One entry for each origin that has idle connections, with a time that is not after its oldest
/// one. Entries are corrected when they come up, so that a request never touches the heap.
#[derive(Debug)]
pub(crate) struct IdleIndex<U> {
    heap: Mutex<Heap<U>>,
    idle: AtomicUsize,
}

#[derive(Debug)]
struct Heap<U> {
    entries: BinaryHeap<Entry<U>>,
    /// At this many entries those of origins that are gone are cleared out.
    sweep_at: usize,
    /// Entries that somebody has taken out to look at.
    out: usize,
    /// Somebody found nothing while entries were out.
    missed: bool,
}

#[derive(Debug)]
pub(crate) struct Entry<U> {
    pub(crate) since: Instant,
    pub(crate) origin: Weak<U>,
}

impl<U> IdleIndex<U> {
    pub(crate) fn new() -> Self {
        Self {
            heap: Mutex::new(Heap {
                entries: BinaryHeap::new(),
                sweep_at: FIRST_SWEEP,
                out: 0,
                missed: false,
            }),
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
        let mut heap = self.heap.lock();
        if heap.entries.len() >= heap.sweep_at {
            // Nothing else takes them out where nothing is ever evicted.
            heap.entries.retain(|entry| entry.origin.strong_count() > 0);
            heap.sweep_at = (2 * heap.entries.len()).max(FIRST_SWEEP);
        }
        heap.entries.push(Entry { since, origin });
    }

    /// Whether no origin is known to have an idle connection.
    pub(crate) fn is_empty(&self) -> bool {
        self.heap.lock().entries.is_empty()
    }

    /// The entry with the earliest time.
    /// Takes the entry with the earliest time out, to be given [`back`](Self::back). Without one, while
    /// others are out, somebody else is told to look again.
    pub(crate) fn pop(&self) -> Option<Entry<U>> {
        let mut heap = self.heap.lock();
        let entry = heap.entries.pop();
        if entry.is_some() {
            heap.out += 1;
        } else {
            heap.missed = heap.out > 0;
        }
        entry
    }

    /// Ends a look at an entry, which stays with another time or goes. True when somebody missed it
    /// meanwhile and gave up, so that what they were about is for the caller to do.
    pub(crate) fn back(&self, entry: Option<Entry<U>>) -> bool {
        let mut heap = self.heap.lock();
        heap.out -= 1;
        heap.entries.extend(entry);
        std::mem::take(&mut heap.missed)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn ever_new_origins_leave_nothing_behind() {
        let index = IdleIndex::new();
        let now = Instant::now();
        let lasting = Arc::new(0);
        index.push(now, Arc::downgrade(&lasting));
        for gone in 1..10_000 {
            index.push(now, Arc::downgrade(&Arc::new(gone)));
        }
        assert!(index.heap.lock().entries.len() <= FIRST_SWEEP);
        let found = std::iter::from_fn(|| index.pop()).find_map(|entry| entry.origin.upgrade());
        assert_eq!(found, Some(lasting));
    }
}
