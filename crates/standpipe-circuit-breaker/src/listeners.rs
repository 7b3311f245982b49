use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use standpipe_core::sync::Mutex;
use tokio::sync::watch;

use crate::{State, Transition};

pub(crate) type Listener = Arc<dyn Fn(&Transition) + Send + Sync>;

/// Who is told of a breaker's transitions.
#[derive(Default)]
pub(crate) struct Listeners {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    listeners: Vec<Listener>,
    watch: Option<watch::Sender<State>>,
}

impl Listeners {
    pub(crate) fn add(&self, listener: Listener) {
        self.inner.lock().listeners.push(listener);
    }

    /// A watch, which begins with `state`: a closure, so that it is read under the lock, after
    /// which no transition passes the new watch by.
    pub(crate) fn watch(&self, state: impl FnOnce() -> State) -> watch::Receiver<State> {
        let mut inner = self.inner.lock();
        match &inner.watch {
            Some(watch) => watch.subscribe(),
            None => {
                let (sender, receiver) = watch::channel(state());
                inner.watch = Some(sender);
                receiver
            }
        }
    }

    /// Tells everyone, outside the lock. A listener that panics harms nobody: the panic has been
    /// reported by the panic hook, and ends here.
    pub(crate) fn tell(&self, transition: &Transition) {
        let (listeners, watch) = {
            let inner = self.inner.lock();
            (inner.listeners.clone(), inner.watch.clone())
        };
        if let Some(watch) = watch {
            watch.send_replace(transition.to);
        }
        for listener in listeners {
            // What it may have left half changed is its own.
            let _: Result<(), _> = catch_unwind(AssertUnwindSafe(|| listener(transition)));
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner.lock();
        f.debug_struct("Listeners")
            .field("listeners", &inner.listeners.len())
            .field("watched", &inner.watch.is_some())
            .finish()
    }
}
