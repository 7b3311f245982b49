use std::task::Waker;

use standpipe_core::sync::Mutex;

/// Wakes one task of a connection, as often as need be: unlike an `AtomicWaker` it keeps the waker,
/// so that a task which is polled again and again registers once.
#[derive(Debug, Default)]
pub(crate) struct TaskWaker {
    waker: Mutex<Option<Waker>>,
}

impl TaskWaker {
    /// Whom to wake. What the waking side set before its [`wake`](TaskWaker::wake) is seen after
    /// this, or this waker is woken: the lock orders the two.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut registered = self.waker.lock();
        if registered.as_ref().is_none_or(|old| !old.will_wake(waker)) {
            let old = registered.replace(waker.clone());
            drop(registered);
            drop(old);
        }
    }

    /// Wakes whoever is registered.
    pub(crate) fn wake(&self) {
        let waker = self.waker.lock().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
