use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Mutex, RwLock};

fn panics<T>(code: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(code)).is_err()
}

/// PAN-03
#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build does not ask")]
fn a_lock_that_is_taken_under_another_panics() {
    let (a, b, map) = (Mutex::new(0), Mutex::new(0), RwLock::new(0));
    let held = a.lock();
    assert!(panics(|| *b.lock()), "another mutex");
    assert!(panics(|| *a.lock()), "the same one, which would hang");
    drop(held);
    let reading = map.read();
    assert!(panics(|| *b.lock()), "a mutex under a leaf");
    assert!(panics(|| *map.read()), "a leaf under a leaf");
    drop(reading);
    *b.lock() += 1;
    assert_eq!(*b.lock(), 1);
}

#[test]
fn a_leaf_may_be_taken_under_a_mutex_and_the_mutex_is_still_held_after_it() {
    let (queue, map) = (Mutex::new(0), RwLock::new(0));
    let held = queue.lock();
    *map.write() += 1;
    assert_eq!(*map.read(), 1);
    #[cfg(debug_assertions)]
    assert!(panics(|| *queue.lock()));
    let reading = map.read();
    drop(held);
    drop(reading);
    assert_eq!(*queue.lock(), 0, "released in another order");
}

#[test]
fn a_panic_under_a_lock_releases_it() {
    let lock = Mutex::new(0);
    assert!(panics(|| {
        let _held = lock.lock();
        panic!("under the lock");
    }));
    *lock.lock() += 1;
}
