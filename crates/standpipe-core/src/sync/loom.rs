//! The facade itself under loom.

use std::sync::Arc;
use std::task::Poll;

use loom::thread;

use super::atomic::{AtomicBool, Ordering};
use super::{AtomicWaker, Mutex};

/// The count of locks is a thread's own: one who holds a lock does not make another one panic.
#[test]
fn two_threads_may_hold_a_lock_each() {
    loom::model(|| {
        let locks = Arc::new((Mutex::new(0), Mutex::new(0)));
        let other = Arc::clone(&locks);
        let adding = thread::spawn(move || {
            *other.0.lock() += 1;
            *other.1.lock() += 1;
        });
        *locks.1.lock() += 1;
        *locks.0.lock() += 1;
        adding.join().unwrap();
        assert_eq!(*locks.0.lock(), 2);
        assert_eq!(*locks.1.lock(), 2);
    });
}

/// PAN-03
#[test]
#[should_panic(expected = "a lock is taken under another")]
fn a_lock_that_is_taken_under_another_panics_in_a_model() {
    loom::model(|| {
        let (a, b) = (Mutex::new(0), Mutex::new(0));
        let held = a.lock();
        assert_eq!(*held, *b.lock());
    });
}

/// Who registers and then looks is woken by who makes it true and then wakes.
#[test]
fn a_waker_registered_before_the_look_is_woken() {
    loom::model(|| {
        let shared = Arc::new((AtomicWaker::new(), AtomicBool::new(false)));
        let other = Arc::clone(&shared);
        let waking = thread::spawn(move || {
            other.1.store(true, Ordering::Relaxed);
            other.0.wake();
        });
        loom::future::block_on(std::future::poll_fn(|cx| {
            shared.0.register(cx.waker());
            if shared.1.load(Ordering::Relaxed) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
        waking.join().unwrap();
    });
}
