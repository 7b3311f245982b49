use std::sync::{Arc, Weak};

use standpipe_core::sync::Mutex;
use tokio::task::{AbortHandle, JoinSet};

/// Owns a server's tasks: all of them end with it.
#[derive(Debug)]
pub(super) struct Tasks {
    /// `None` once the server was shut down.
    running: Arc<Mutex<Option<JoinSet<()>>>>,
}

impl Tasks {
    pub(super) fn new() -> Self {
        Self {
            running: Arc::new(Mutex::new(Some(JoinSet::new()))),
        }
    }

    pub(super) fn spawner(&self) -> Spawner {
        Spawner(Arc::downgrade(&self.running))
    }

    /// Aborts all tasks and waits until they are gone.
    pub(super) async fn shutdown(&self) {
        let running = self.running.lock().take();
        if let Some(mut running) = running {
            running.shutdown().await;
        }
    }
}

/// Spawns into a server's tasks; hyper spawns the streams of HTTP/2 through it.
///
/// The tasks hold it, so it holds them weakly.
#[derive(Clone, Debug)]
pub(crate) struct Spawner(Weak<Mutex<Option<JoinSet<()>>>>);

impl Spawner {
    /// Spawns, unless the server is gone.
    pub(crate) fn spawn(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Option<AbortHandle> {
        let tasks = self.0.upgrade()?;
        let mut tasks = tasks.lock();
        let running = tasks.as_mut()?;
        while running.try_join_next().is_some() {}
        Some(running.spawn(task))
    }
}

impl<Fut: Future<Output = ()> + Send + 'static> hyper::rt::Executor<Fut> for Spawner {
    fn execute(&self, task: Fut) {
        self.spawn(task);
    }
}
