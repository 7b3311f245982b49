//! The handles of one host, each resolved once.

use std::sync::OnceLock;

use metrics::{Counter, Gauge, Histogram};

use super::series::Id;

const LISTS: usize = 32;

/// What tells one series of a host from another: each part from a bounded set, so the table is too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) id: Id,
    pub(super) method: Option<u8>,
    /// 0 where there is none.
    pub(super) status: u16,
    /// The error, reason or state: text of the program.
    pub(super) word: Option<&'static str>,
    pub(super) template: Option<&'static str>,
}

/// A handle of the kind that its series is.
#[derive(Debug)]
pub(super) enum Instrument {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

/// Short lists that only grow: found without a lock, and added to without one, so that the exporter's
/// code, which makes the handles, may come back here.
#[derive(Debug, Default)]
pub(super) struct Table {
    lists: [Next; LISTS],
}

#[derive(Debug, Default)]
struct Next(OnceLock<Box<Node>>);

#[derive(Debug)]
struct Node {
    key: Key,
    instrument: Instrument,
    next: Next,
}

impl Table {
    pub(super) fn get(&self, key: Key, make: impl FnOnce() -> Instrument) -> &Instrument {
        let mut next = &self.lists[key.list()];
        while let Some(node) = next.0.get() {
            if node.key == key {
                return &node.instrument;
            }
            next = &node.next;
        }
        append(next, key, make())
    }
}

#[cold]
fn append(mut next: &Next, key: Key, instrument: Instrument) -> &Instrument {
    let mut new = Box::new(Node {
        key,
        instrument,
        next: Next::default(),
    });
    loop {
        // The race for the list's end: who loses it goes on from the node that won.
        let lost = next.0.set(new).err();
        let Some(node) = next.0.get() else {
            unreachable!("it was set, here or by another thread");
        };
        match lost {
            None => return &node.instrument,
            Some(_) if node.key == key => return &node.instrument,
            Some(mine) => new = mine,
        }
        next = &node.next;
    }
}

impl Key {
    pub(super) fn of(id: Id) -> Self {
        Self {
            id,
            method: None,
            status: 0,
            word: None,
            template: None,
        }
    }

    pub(super) fn word(mut self, word: &'static str) -> Self {
        self.word = Some(word);
        self
    }

    fn list(&self) -> usize {
        let method = usize::from(self.method.unwrap_or(0));
        (self.id as usize + 5 * method + usize::from(self.status)) % LISTS
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && self.method == other.method
            && self.status == other.status
            && same(self.word, other.word)
            && same(self.template, other.template)
    }
}

fn same(a: Option<&'static str>, b: Option<&'static str>) -> bool {
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

    fn noop() -> Instrument {
        Instrument::Counter(Counter::noop())
    }

    #[test]
    fn each_key_is_resolved_once() {
        let table = Table::default();
        let made = AtomicUsize::new(0);
        for _ in 0..3 {
            for status in 100..600 {
                let mut key = Key::of(Id::RequestDuration);
                key.status = status;
                table.get(key, || {
                    made.fetch_add(1, Ordering::Relaxed);
                    noop()
                });
            }
        }
        assert_eq!(made.into_inner(), 500);
    }

    #[test]
    fn threads_that_meet_at_a_new_key_get_one_handle() {
        let table = Table::default();
        let barrier = Barrier::new(4);
        let found: Vec<Vec<usize>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let keys = (0..200).map(|status| {
                            let mut key = Key::of(Id::Retries);
                            key.status = status;
                            key
                        });
                        keys.map(|key| std::ptr::from_ref(table.get(key, noop)).addr())
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
