use std::task::Waker;

use standpipe_core::queue::Ticket;
use tokio::time::Instant;

/// What an operation on the [`State`](super::state::State) leaves to be done once the lock is
/// released: no waker runs, no connection is dropped and no other lock is taken under it.
#[derive(Debug)]
#[must_use = "effects must be carried out after the lock is released"]
pub(crate) struct Effects<C, P> {
    /// Waiters that have something to collect.
    pub(crate) wake: Vec<Waker>,
    /// Connections to close by dropping them.
    pub(crate) close: Vec<C>,
    /// Permits that nobody needs any more.
    pub(crate) release: Vec<P>,
    /// Places in the line for a permit to give up.
    pub(crate) withdraw: Vec<Ticket>,
    /// How many permits to ask for.
    pub(crate) ask: usize,
    /// The origin has to be entered into the index of idle connections, from this time on.
    pub(crate) list: Option<Instant>,
    /// By how much the number of idle connections changed.
    pub(crate) idle_change: isize,
}

impl<C, P> Default for Effects<C, P> {
    fn default() -> Self {
        Self {
            wake: Vec::new(),
            close: Vec::new(),
            release: Vec::new(),
            withdraw: Vec::new(),
            ask: 0,
            list: None,
            idle_change: 0,
        }
    }
}

impl<C, P> Effects<C, P> {
    /// Whether there is nothing to do but to note how many connections idle.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.wake.is_empty()
            && self.close.is_empty()
            && self.release.is_empty()
            && self.withdraw.is_empty()
            && self.ask == 0
            && self.list.is_none()
    }
}
