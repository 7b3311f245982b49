use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::Eviction;

/// The hosts in the order of their last use, brought up to date only when somebody must go.
///
/// A use does not touch the queue: it stamps the host. So an entry's key is at most the time of
/// its last use, and an entry at the head whose key *is* that time was used least recently of
/// all. One whose key is older is requeued with the time it was used at, which that use pays for:
/// the cost of keeping the order is O(log n) for each use and none when nobody must go.
#[derive(Debug)]
pub(crate) struct LruQueue<T> {
    entries: BinaryHeap<Entry<T>>,
    sequence: u64,
}

#[derive(Debug)]
struct Entry<T> {
    key: Key,
    value: T,
}

/// The time, and a number that keeps the order of those queued at one time.
type Key = (u64, u64);

impl<T> LruQueue<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: BinaryHeap::new(),
            sequence: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The head and the time it was queued with.
    pub(crate) fn head(&self) -> Option<(u64, &T)> {
        let entry = self.entries.peek()?;
        Some((entry.key.0, &entry.value))
    }

    /// Why the head has to go at `now`, unless it was used since it was queued.
    pub(crate) fn due(&self, now: u64, max: usize, idle: Option<u64>) -> Option<Eviction> {
        let (queued_at, _) = self.head()?;
        let idle_since = |idle| queued_at < now && now - queued_at >= idle;
        if idle.is_some_and(idle_since) {
            return Some(Eviction::Idle);
        }
        (self.len() > max).then_some(Eviction::Bound)
    }

    pub(crate) fn push(&mut self, used_at: u64, value: T) {
        let key = self.key(used_at);
        self.entries.push(Entry { key, value });
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.entries.pop().map(|entry| entry.value)
    }

    /// Puts the head where it belongs by the time of its last use.
    pub(crate) fn requeue(&mut self, used_at: u64) {
        let key = self.key(used_at);
        if let Some(mut head) = self.entries.peek_mut() {
            head.key = key;
            // Sifts down here, so that a reader need not know when a guard is dropped.
            drop::<PeekMut<'_, _>>(head);
        }
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.entries.retain(|entry| keep(&entry.value));
    }

    fn key(&mut self, used_at: u64) -> Key {
        self.sequence += 1;
        (used_at, self.sequence)
    }
}

/// The oldest is the greatest: the heap gives that first.
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key)
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(entries: &[(u64, char)]) -> LruQueue<char> {
        let mut queue = LruQueue::new();
        for (at, value) in entries {
            queue.push(*at, *value);
        }
        queue
    }

    #[test]
    fn the_oldest_comes_first_and_of_one_time_the_first_queued() {
        let mut queue = queue(&[(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b')]);
        let order: String = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, "abcd");
    }

    #[test]
    fn a_requeued_head_takes_its_place_by_the_time_it_was_used() {
        let mut queue = queue(&[(1, 'a'), (2, 'b'), (5, 'c')]);
        queue.requeue(3);
        assert_eq!(queue.head(), Some((2, &'b')));
        let order: String = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, "bac");
    }

    #[test]
    fn the_head_is_due_over_the_bound_and_after_the_idle_time() {
        let queue = queue(&[(10, 'a'), (20, 'b')]);
        assert_eq!(queue.due(15, 2, None), None);
        assert_eq!(queue.due(15, 1, None), Some(Eviction::Bound));
        assert_eq!(queue.due(15, 2, Some(6)), None);
        assert_eq!(queue.due(16, 2, Some(6)), Some(Eviction::Idle));
        assert_eq!(queue.due(10, 2, Some(0)), None, "in use at this very time");
    }
}
