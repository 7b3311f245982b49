use std::task::Waker;

use standpipe_core::Error;
use standpipe_core::queue::Ticket;
use tokio::time::Instant;

use super::state::{Handle, Link};
use crate::events::CloseReason;

/// What an operation on the [`State`](super::state::State) leaves to be done once the lock is
/// released: no waker runs, no connection is dropped and no other lock is taken under it.
#[derive(Debug)]
#[must_use = "effects must be carried out after the lock is released"]
pub(crate) struct Effects<C, P> {
    /// Waiters that have something to collect.
    pub(crate) wake: Vec<Waker>,
    /// Wakers that nobody needs any more: their drop is foreign code.
    pub(crate) spent: Vec<Waker>,
    /// Errors that nobody is given: likewise.
    pub(crate) errors: Vec<Error>,
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

impl<C: Handle, P> Effects<C, P> {
    /// Closes a connection for a reason.
    pub(crate) fn shut(&mut self, handle: C, reason: CloseReason) {
        handle.link().note_end(reason);
        handle.link().let_go();
        self.close.push(handle);
    }
}

impl<C, P> Default for Effects<C, P> {
    fn default() -> Self {
        Self {
            wake: Vec::new(),
            spent: Vec::new(),
            errors: Vec::new(),
            close: Vec::new(),
            release: Vec::new(),
            withdraw: Vec::new(),
            ask: 0,
            list: None,
            idle_change: 0,
        }
    }
}
