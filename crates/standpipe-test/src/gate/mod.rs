#[cfg(test)]
mod tests;

use std::sync::Arc;

use standpipe_core::sync::Mutex;

use crate::changes::Changes;

/// A gate for tasks: those that [`wait`](Gate::wait) go on when it is open.
///
/// It takes the place of sleeping in tests: the code under test waits at the gate, the test sees that
/// it has [arrived](Gate::arrived) and opens when it wishes.
///
/// # Clone
///
/// All clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changes: Changes,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    waiting: usize,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until the gate is open.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it no longer counts as waiting.
    pub async fn wait(&self) {
        let _waiting = Waiting::begin(self);
        let open = || self.is_open().then_some(());
        self.shared.changes.until(open).await;
    }

    /// Lets all through who wait and all who come, until it is closed.
    pub fn open(&self) {
        self.shared.state.lock().open = true;
        self.shared.changes.announce();
    }

    /// Lets nobody through who comes from now on.
    pub fn close(&self) {
        self.shared.state.lock().open = false;
    }

    /// Whether those who come go through.
    pub fn is_open(&self) -> bool {
        self.shared.state.lock().open
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.shared.state.lock().waiting
    }

    /// Waits until at least `n` wait at once.
    pub async fn arrived(&self, n: usize) {
        let arrived = || (self.waiting() >= n).then_some(());
        self.shared.changes.until(arrived).await;
    }
}

struct Waiting<'a>(&'a Gate);

impl<'a> Waiting<'a> {
    fn begin(gate: &'a Gate) -> Self {
        gate.shared.state.lock().waiting += 1;
        gate.shared.changes.announce();
        Self(gate)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.shared.state.lock().waiting -= 1;
    }
}
