//! The connections' tasks, and a small executor: its workers are the threads of the model, each
//! of which runs what is due when the model says so.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use ::loom::sync::Mutex;
use standpipe_core::sync::atomic::Ordering::SeqCst;

use super::dial::Open;
use crate::conn::{Driver, PooledIo, Wire};

/// hyper's connection.
pub(super) struct Connection {
    wire: Arc<Wire>,
    /// What counts it goes before the IO, whose drop ends the permit.
    _io: Option<(Open, PooledIo)>,
}

impl Connection {
    pub(super) fn new(wire: &Arc<Wire>, io: Option<(Open, PooledIo)>) -> Self {
        Self {
            wire: Arc::clone(wire),
            _io: io,
        }
    }

    pub(super) fn streams(&self) -> Option<usize> {
        Some(self.wire.streams.load(SeqCst))
    }
}

impl Future for Connection {
    type Output = hyper::Result<()>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        if self.wire.is_abandoned() || self.wire.hung_up.load(SeqCst) {
            return Poll::Ready(Ok(()));
        }
        if self.wire.answered.swap(false, SeqCst) {
            self.wire.ready.store(true, SeqCst);
        }
        Poll::Pending
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.wire.ready.store(false, SeqCst);
        self.wire.ended.store(true, SeqCst);
    }
}

pub(super) type ConnectionDriver = Driver<Connection, fn(&Connection) -> Option<usize>>;

thread_local! {
    /// All tasks of the interleaving, for its end.
    static ALL: RefCell<Vec<Arc<Task>>> = const { RefCell::new(Vec::new()) };
}

/// The executor.
#[derive(Default)]
pub(super) struct Tasks {
    due: Mutex<VecDeque<Arc<Task>>>,
}

struct Task {
    driver: Mutex<Option<ConnectionDriver>>,
    tasks: Arc<Tasks>,
}

impl Tasks {
    pub(super) fn spawn(self: &Arc<Self>, driver: ConnectionDriver) {
        let task = Arc::new(Task {
            driver: Mutex::new(Some(driver)),
            tasks: Arc::clone(self),
        });
        ALL.with_borrow_mut(|all| all.push(Arc::clone(&task)));
        task.wake();
    }

    /// Runs all that is due, by whoever it was woken.
    pub(super) fn run(&self) {
        while let Some(task) = self.next() {
            task.poll();
        }
    }

    fn next(&self) -> Option<Arc<Task>> {
        self.due.lock().expect("no holder panics").pop_front()
    }
}

impl Task {
    fn poll(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        let mut driver = self.driver.lock().expect("no holder panics");
        let ended = match &mut *driver {
            Some(running) => Pin::new(running)
                .poll(&mut Context::from_waker(&waker))
                .is_ready(),
            None => false,
        };
        if ended {
            *driver = None;
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let tasks = Arc::clone(&self.tasks);
        tasks.due.lock().expect("no holder panics").push_back(self);
    }
}

/// Ends all tasks, as a runtime does that is shut down.
pub(super) fn tear_down() {
    for task in ALL.take() {
        let driver = task.driver.lock().expect("no holder panics").take();
        drop(driver);
    }
}
