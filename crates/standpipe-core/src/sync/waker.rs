use std::task::Waker;

use loom::sync::Mutex;

/// The `AtomicWaker` of the crate of that name, as loom can see it: a waker that is registered
/// before a condition is read is woken by whoever makes it true and wakes afterwards.
#[derive(Debug, Default)]
pub struct AtomicWaker(Mutex<Option<Waker>>);

impl AtomicWaker {
    /// With nobody registered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers whom to wake, in place of the one before.
    pub fn register(&self, waker: &Waker) {
        let mut registered = self.0.lock().expect("no holder panics");
        *registered = Some(waker.clone());
    }

    /// Wakes the one who is registered, once.
    pub fn wake(&self) {
        let registered = self.0.lock().expect("no holder panics").take();
        if let Some(waker) = registered {
            waker.wake();
        }
    }
}
