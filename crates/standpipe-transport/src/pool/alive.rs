//! Who is told when the last connection and the last task are gone.

use std::task::Waker;

use std::sync::Arc;

use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicUsize, Ordering};

/// A count of the connections and tasks of a transport.
#[derive(Debug, Default)]
pub(crate) struct Alive {
    count: AtomicUsize,
    waiting: Mutex<Vec<Waker>>,
}

/// Something that is alive. The drop of the last one wakes those who wait for that.
#[derive(Debug)]
pub(crate) struct Bell(Arc<Alive>);

impl Alive {
    pub(crate) fn enter(self: &Arc<Self>) -> Bell {
        self.count.fetch_add(1, Ordering::SeqCst);
        Bell(Arc::clone(self))
    }

    /// Whether nothing is alive. To be asked after [`register`](Self::register).
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 0
    }

    pub(crate) fn register(&self, waker: &Waker) {
        let mut waiting = self.waiting.lock();
        if !waiting.iter().any(|known| known.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }
}

impl Clone for Bell {
    fn clone(&self) -> Self {
        self.0.enter()
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            let waiting = std::mem::take(&mut *self.0.waiting.lock());
            for waker in waiting {
                waker.wake();
            }
        }
    }
}
