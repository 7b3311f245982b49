use std::fmt;
// Not those of `crate::sync`: a number that is counted up and down decides no race that a model would
// look into, and a model's numbers cannot be static.
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all streams of a process together keep to be sent again: 64 MiB, unless set.
pub(super) const DEFAULT_LIMIT: usize = 64 * 1024 * 1024;

/// How many bytes of streamed request bodies the process keeps to be sent again, and how many it may.
///
/// Each body has a cap of its own. This one is for all of them, whichever pool they are sent by: a body
/// that finds no room is sent all the same, and then cannot be sent again. Bodies that are in memory by
/// themselves are not counted.
///
/// ```
/// use standpipe_core::ReplayMemory;
///
/// let memory = ReplayMemory::process();
/// memory.set_limit(16 * 1024 * 1024);
/// assert_eq!((memory.used(), memory.limit()), (0, 16 * 1024 * 1024));
/// ```
pub struct ReplayMemory {
    used: AtomicUsize,
    limit: AtomicUsize,
}

impl ReplayMemory {
    /// That of this process.
    pub fn process() -> &'static Self {
        static PROCESS: ReplayMemory = ReplayMemory::new(DEFAULT_LIMIT);
        &PROCESS
    }

    pub(super) const fn new(limit: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
        }
    }

    /// How many bytes are kept at this moment.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// How many may be kept.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Sets how many may be kept from now on. What is kept already stays.
    pub fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    fn take(&self, bytes: usize) -> bool {
        let limit = self.limit();
        let taken = |used: usize| used.checked_add(bytes).filter(|used| *used <= limit);
        let order = Ordering::Relaxed;
        self.used.fetch_update(order, order, taken).is_ok()
    }
}

impl fmt::Debug for ReplayMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayMemory")
            .field("used", &self.used())
            .field("limit", &self.limit())
            .finish()
    }
}

/// A part of the memory, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Reserved {
    memory: &'static ReplayMemory,
    bytes: usize,
}

impl Default for Reserved {
    fn default() -> Self {
        Self::in_memory(ReplayMemory::process())
    }
}

impl Reserved {
    pub(super) fn in_memory(memory: &'static ReplayMemory) -> Self {
        Self { memory, bytes: 0 }
    }

    /// Takes so many bytes more, where there is room; says whether.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let grown = self.memory.take(bytes);
        if grown {
            self.bytes += bytes;
        }
        grown
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(standpipe_loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_has_room_for_others() {
        static MEMORY: ReplayMemory = ReplayMemory::new(10);
        let (mut one, mut two) = (Reserved::in_memory(&MEMORY), Reserved::in_memory(&MEMORY));
        assert!(one.grow(6) && !two.grow(5) && two.grow(4) && !one.grow(1));
        assert!(one.grow(0));
        assert_eq!(MEMORY.used(), 10);
        drop(one);
        assert_eq!(MEMORY.used(), 4);
        assert!(two.grow(6) && !two.grow(usize::MAX));
        MEMORY.set_limit(20);
        assert!(two.grow(10));
        drop(two);
        assert_eq!(MEMORY.used(), 0);
    }

    #[test]
    fn threads_that_take_at_once_never_have_more_than_there_is() {
        static MEMORY: ReplayMemory = ReplayMemory::new(100);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        let mut part = Reserved::in_memory(&MEMORY);
                        let _ = part.grow(30);
                        assert!(MEMORY.used() <= 100);
                    }
                });
            }
        });
        assert_eq!(MEMORY.used(), 0);
    }
}
