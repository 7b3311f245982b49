//! A map that only grows, for a few keys.

use std::sync::OnceLock;

/// What an entry is found by.
pub(super) trait Listed: Copy {
    /// Any number that is the same for equal keys.
    fn list(&self) -> usize;

    /// Whether they are equal.
    fn is(&self, other: &Self) -> bool;
}

/// Short lists: found without a lock, and added to without one, so that the exporter's code, which
/// makes the handles, may come back here.
#[derive(Debug)]
pub(super) struct Lists<K, V, const LISTS: usize> {
    lists: [Next<K, V>; LISTS],
}

#[derive(Debug)]
struct Next<K, V>(OnceLock<Box<Node<K, V>>>);

#[derive(Debug)]
struct Node<K, V> {
    key: K,
    value: V,
    next: Next<K, V>,
}

impl<K, V, const LISTS: usize> Default for Lists<K, V, LISTS> {
    fn default() -> Self {
        Self {
            lists: std::array::from_fn(|_| Next::default()),
        }
    }
}

impl<K, V> Default for Next<K, V> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<K: Listed, V, const LISTS: usize> Lists<K, V, LISTS> {
    #[inline]
    pub(super) fn get(&self, key: &K, make: impl FnOnce() -> V) -> &V {
        let mut next = &self.lists[key.list() % LISTS];
        while let Some(node) = next.0.get() {
            if node.key.is(key) {
                return &node.value;
            }
            next = &node.next;
        }
        append(next, *key, make())
    }
}

#[cold]
fn append<K: Listed, V>(mut next: &Next<K, V>, key: K, value: V) -> &V {
    let mut new = Box::new(Node {
        key,
        value,
        next: Next::default(),
    });
    loop {
        // The race for the list's end: who loses it goes on from the node that won.
        let lost = next.0.set(new).err();
        let Some(node) = next.0.get() else {
            unreachable!("it was set, here or by another thread");
        };
        match lost {
            None => return &node.value,
            Some(_) if node.key.is(&key) => return &node.value,
            Some(mine) => new = mine,
        }
        next = &node.next;
    }
}

/// Whether two texts of the program are the same.
#[inline]
pub(super) fn same(a: Option<&'static str>, b: Option<&'static str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => std::ptr::eq(a, b) || a == b,
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    impl Listed for u16 {
        fn list(&self) -> usize {
            usize::from(*self)
        }

        fn is(&self, other: &Self) -> bool {
            self == other
        }
    }

    #[test]
    fn the_value_of_each_key_is_made_once() {
        let lists = Lists::<u16, _, 8>::default();
        let made = AtomicUsize::new(0);
        for _ in 0..3 {
            for key in 100..600u16 {
                let make = || {
                    made.fetch_add(1, Ordering::Relaxed);
                    key
                };
                assert_eq!(*lists.get(&key, make), key);
            }
        }
        assert_eq!(made.into_inner(), 500);
    }

    #[test]
    fn threads_that_meet_at_a_new_key_get_one_value() {
        let lists = Lists::<u16, _, 8>::default();
        let barrier = Barrier::new(4);
        let (lists, barrier) = (&lists, &barrier);
        let found: Vec<Vec<usize>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let found = (0..200u16).map(|key| lists.get(&key, || [0; 2]));
                        found
                            .map(|value| std::ptr::from_ref(value).addr())
                            .collect()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(found.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
