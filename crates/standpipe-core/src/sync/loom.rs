//! The facade itself under loom.

use std::sync::Arc;

use loom::thread;

use super::Mutex;

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
