//! A small number that no other living thread has.

use std::sync::LazyLock;

use standpipe_core::sync::Mutex;

/// How many threads may have counters of their own.
pub(crate) const SLOTS: usize = 32;

static SLOTS_OF_THREADS: LazyLock<Mutex<Slots>> = LazyLock::new(Mutex::default);

thread_local! {
    static SLOT: Slot = Slot::take();
}

#[derive(Debug, Default)]
struct Slots {
    given: usize,
    returned: Vec<usize>,
}

/// Given back when the thread ends. The lock orders what the thread has written before what the next
/// owner of the slot writes.
struct Slot(Option<usize>);

impl Slot {
    fn take() -> Self {
        let mut slots = SLOTS_OF_THREADS.lock();
        if let Some(slot) = slots.returned.pop() {
            return Self(Some(slot));
        }
        if slots.given == SLOTS {
            return Self(None);
        }
        slots.given += 1;
        Self(Some(slots.given - 1))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            SLOTS_OF_THREADS.lock().returned.push(slot);
        }
    }
}

/// This thread's slot; none where all are taken, or the thread is about to end.
#[inline]
pub(crate) fn current() -> Option<usize> {
    SLOT.try_with(|slot| slot.0).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_belongs_to_one_thread_and_comes_back_when_it_ends() {
        let mine = current();
        for _ in 0..3 * SLOTS {
            let other = std::thread::spawn(current).join().unwrap();
            assert!(other.is_none() || other != mine);
        }
        // Where this thread has none, other tests' threads hold them all.
        let next = std::thread::spawn(current).join().unwrap();
        assert!(mine.is_none() || next.is_some());
    }
}
