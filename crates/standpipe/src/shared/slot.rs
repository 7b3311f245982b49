//! The place of one client.

use std::sync::OnceLock;

use standpipe_core::Error;
use standpipe_core::sync::{Arc, Mutex};

use super::SharedState;

/// What a [`Slot`] holds.
pub(super) trait Client: Clone {
    fn is_closed(&self) -> bool;
}

type Cell<C> = Arc<OnceLock<Result<C, Error>>>;

/// Holds one client at a time, which whoever asks first makes; the others wait for it. A client that
/// was closed makes room for the next one.
#[derive(Debug)]
pub(super) struct Slot<C> {
    now: Mutex<Now<C>>,
}

#[derive(Debug)]
struct Now<C> {
    /// Filled outside of the lock: making a client takes locks of its own.
    cell: Cell<C>,
    /// The last one was closed, and no one has asked since.
    closed: bool,
}

impl<C: Client> Slot<C> {
    pub(super) fn new() -> Self {
        let now = Now {
            cell: Arc::default(),
            closed: false,
        };
        Self {
            now: Mutex::new(now),
        }
    }

    /// The client that is here and open, or else the one that `make` makes; its error is kept by no one.
    pub(super) fn get_or_make(&self, make: impl Fn() -> Result<C, Error>) -> Result<C, Error> {
        loop {
            let cell = self.cell();
            match cell.get_or_init(&make) {
                Ok(client) if !client.is_closed() => return Ok(client.clone()),
                Ok(_) => self.discard(&cell),
                Err(error) => {
                    self.discard(&cell);
                    return Err(error.clone());
                }
            }
        }
    }

    /// Puts `client` here unless an open one is; says whether it did.
    pub(super) fn put(&self, client: C) -> bool {
        let mut client = Ok(client);
        loop {
            let cell = self.cell();
            match cell.set(client) {
                Ok(()) => return true,
                Err(back) => client = back,
            }
            match cell.get() {
                Some(Ok(here)) if !here.is_closed() => return false,
                _ => self.discard(&cell),
            }
        }
    }

    /// Takes the client out, to be closed. One that is being made at this moment comes after this, and
    /// stays.
    pub(super) fn close(&self) -> Option<C> {
        let mut now = self.now.lock();
        let Some(Ok(client)) = now.cell.get() else {
            return None;
        };
        let client = client.clone();
        let left = std::mem::take(&mut now.cell);
        now.closed = true;
        drop(now);
        drop(left);
        Some(client)
    }

    pub(super) fn is_open(&self) -> bool {
        let state = self.state();
        state.initialized && !state.closed
    }

    pub(super) fn state(&self) -> SharedState {
        let (cell, was_closed) = {
            let now = self.now.lock();
            (Arc::clone(&now.cell), now.closed)
        };
        match cell.get() {
            Some(Ok(client)) => SharedState {
                initialized: true,
                closed: client.is_closed(),
            },
            _ => SharedState {
                initialized: was_closed,
                closed: was_closed,
            },
        }
    }

    fn cell(&self) -> Cell<C> {
        Arc::clone(&self.now.lock().cell)
    }

    /// Makes room for the next client, unless another thread has. `cell` must be filled: one that is
    /// empty may be about to be.
    fn discard(&self, cell: &Cell<C>) {
        let mut now = self.now.lock();
        if !Arc::ptr_eq(&now.cell, cell) {
            return;
        }
        let left = std::mem::take(&mut now.cell);
        now.closed = matches!(left.get(), Some(Ok(_)));
        drop(now);
        drop(left);
    }
}

#[cfg(all(test, not(standpipe_loom)))]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use standpipe_core::ErrorKind;

    use super::*;

    #[derive(Clone, Debug)]
    struct Made {
        number: usize,
        closed: Arc<AtomicBool>,
    }

    impl Client for Made {
        fn is_closed(&self) -> bool {
            self.closed.load(Ordering::SeqCst)
        }
    }

    /// Counts what it makes.
    #[derive(Default)]
    struct Maker(AtomicUsize);

    impl Maker {
        fn make(&self) -> Result<Made, Error> {
            Ok(Made {
                number: self.0.fetch_add(1, Ordering::SeqCst),
                closed: Arc::default(),
            })
        }

        fn made(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    const THREADS: usize = 16;

    /// What each thread of many is given that ask at the same time.
    fn at_once(slot: &Slot<Made>, maker: &Maker) -> Vec<usize> {
        let gate = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            let ask = || {
                gate.wait();
                slot.get_or_make(|| maker.make()).unwrap().number
            };
            let asking: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        })
    }

    #[test]
    fn many_threads_that_ask_at_once_get_the_one_that_is_made() {
        for _ in 0..50 {
            let (slot, maker) = (Slot::new(), Maker::default());
            assert_eq!(at_once(&slot, &maker), [0; THREADS]);
            assert_eq!(maker.made(), 1);
        }
    }

    #[test]
    fn after_one_was_closed_many_threads_get_the_one_that_follows_it() {
        for taken in [false, true] {
            let (slot, maker) = (Slot::new(), Maker::default());
            for round in 0..50 {
                assert_eq!(at_once(&slot, &maker), [round; THREADS]);
                assert_eq!(maker.made(), round + 1);
                // By its owner, or by way of the slot.
                let client = match taken {
                    true => slot.close().unwrap(),
                    false => slot.get_or_make(|| maker.make()).unwrap(),
                };
                client.closed.store(true, Ordering::SeqCst);
                let state = slot.state();
                assert!(state.initialized && state.closed, "{taken}: {state:?}");
            }
        }
    }

    #[test]
    fn an_error_is_told_and_the_next_who_asks_makes_it_again() {
        let (slot, maker) = (Slot::new(), Maker::default());
        let failed = slot.get_or_make(|| Err(Error::new(ErrorKind::Runtime)));
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Runtime);
        assert_eq!(slot.state(), SharedState::default());
        assert!(slot.close().is_none());
        assert_eq!(slot.get_or_make(|| maker.make()).unwrap().number, 0);
    }

    #[test]
    fn one_that_is_being_made_while_the_slot_is_closed_stays_in_it() {
        let (slot, maker) = (Slot::new(), Maker::default());
        let made = slot.get_or_make(|| {
            assert!(slot.close().is_none());
            maker.make()
        });
        assert!(slot.is_open());
        assert_eq!(slot.close().unwrap().number, made.unwrap().number);
    }

    #[test]
    fn what_comes_late_is_not_put_in_the_place_of_one_that_is_open() {
        let (slot, maker) = (Slot::new(), Maker::default());
        assert!(slot.put(maker.make().unwrap()));
        assert!(!slot.put(maker.make().unwrap()));
        let first = slot.get_or_make(|| maker.make()).unwrap();
        assert_eq!((first.number, maker.made()), (0, 2));
        first.closed.store(true, Ordering::SeqCst);
        assert!(slot.put(maker.make().unwrap()));
        assert_eq!(slot.get_or_make(|| maker.make()).unwrap().number, 2);
    }

    /// One thread closes over and over while others ask: what is made is in the slot when it is closed,
    /// so that none is left open that nobody knows.
    #[test]
    fn none_is_left_open_beside_the_slot() {
        let (slot, maker) = (Slot::new(), Maker::default());
        let closed = AtomicUsize::new(0);
        let close = |slot: &Slot<Made>| {
            if let Some(client) = slot.close() {
                client.closed.store(true, Ordering::SeqCst);
                closed.fetch_add(1, Ordering::SeqCst);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|_| drop(slot.get_or_make(|| maker.make()))));
            }
            scope.spawn(|| (0..500).for_each(|_| close(&slot)));
        });
        close(&slot);
        assert_eq!(closed.load(Ordering::SeqCst), maker.made());
    }
}
