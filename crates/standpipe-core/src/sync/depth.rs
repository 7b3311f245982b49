//! The assertion that no lock is taken under another.

use std::marker::PhantomData;

/// Kept by each guard. In a release build it is nothing.
#[derive(Debug)]
pub(super) struct Depth {
    #[cfg(any(standpipe_loom, debug_assertions))]
    kind: counted::Kind,
    /// A guard is released by the thread that took it.
    _not_send: PhantomData<*const ()>,
}

impl Depth {
    /// A mutex is about to be locked.
    #[inline]
    #[track_caller]
    pub(super) fn mutex() -> Self {
        Self {
            #[cfg(any(standpipe_loom, debug_assertions))]
            kind: counted::enter(counted::Kind::Mutex),
            _not_send: PhantomData,
        }
    }

    /// A leaf is about to be locked; see [`RwLock`](super::RwLock).
    #[inline]
    #[track_caller]
    pub(super) fn leaf() -> Self {
        Self {
            #[cfg(any(standpipe_loom, debug_assertions))]
            kind: counted::enter(counted::Kind::Leaf),
            _not_send: PhantomData,
        }
    }
}

#[cfg(any(standpipe_loom, debug_assertions))]
impl Drop for Depth {
    fn drop(&mut self) {
        counted::leave(self.kind);
    }
}

#[cfg(any(standpipe_loom, debug_assertions))]
mod counted {
    use std::cell::Cell;

    #[cfg(standpipe_loom)]
    use ::loom::thread_local;

    #[derive(Clone, Copy, Debug)]
    pub(super) enum Kind {
        Mutex,
        Leaf,
    }

    /// How many of each kind a thread holds.
    #[derive(Clone, Copy, Debug, Default)]
    struct Held {
        mutexes: usize,
        leaves: usize,
    }

    impl Held {
        fn of(&mut self, kind: Kind) -> &mut usize {
            match kind {
                Kind::Mutex => &mut self.mutexes,
                Kind::Leaf => &mut self.leaves,
            }
        }
    }

    thread_local! {
        static HELD: Cell<Held> = Cell::new(Held::default());
    }

    #[track_caller]
    pub(super) fn enter(kind: Kind) -> Kind {
        let mut held = change(kind, |count| count + 1);
        *held.of(kind) -= 1;
        let nested = match kind {
            Kind::Mutex => held.mutexes + held.leaves > 0,
            Kind::Leaf => held.leaves > 0,
        };
        // A drop while a panic unwinds must not end the process; the first panic is told anyway.
        if nested && !std::thread::panicking() {
            leave(kind);
            panic!("a lock is taken under another: {kind:?} by a thread that has {held:?}");
        }
        kind
    }

    pub(super) fn leave(kind: Kind) {
        change(kind, |count| count.saturating_sub(1));
    }

    fn change(kind: Kind, by: impl FnOnce(usize) -> usize) -> Held {
        let changed = HELD.try_with(|cell| {
            let mut held = cell.get();
            let count = held.of(kind);
            *count = by(*count);
            cell.set(held);
            held
        });
        // A thread that is ending has no locals any more: it is not asked.
        changed.unwrap_or(Held {
            mutexes: usize::from(matches!(kind, Kind::Mutex)),
            leaves: usize::from(matches!(kind, Kind::Leaf)),
        })
    }
}
