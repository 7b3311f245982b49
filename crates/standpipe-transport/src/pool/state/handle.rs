//! What the state machine must know of connections.

use std::time::Duration;

use crate::events::CloseReason;

/// A handle through which requests are sent.
pub(crate) trait Handle: Sized {
    /// What is known of the connection besides.
    type Link: Link;

    fn link(&self) -> &Self::Link;
    /// The connection's number.
    fn id(&self) -> u64 {
        self.link().id()
    }
    /// Whether a request can be sent on it at once.
    fn is_ready(&self) -> bool;
    /// Whether it is of no use any more: closed, or to be closed at the next chance.
    fn is_spent(&self) -> bool;
    /// Whether it has carried as many requests as it may.
    fn is_used_up(&self) -> bool {
        false
    }
    /// Asks the driver to say when it is ready; whether it is so already.
    fn settle(&self) -> bool;
    /// Whether the connection carries many requests at once.
    fn is_shared(&self) -> bool;
    /// Another handle of a shared connection.
    fn fork(&self) -> Self;
    /// A shared connection that was idle is about to carry a stream.
    fn begin_busy(&self) {}
    /// How many requests the connection may carry.
    fn max_uses(&self) -> u64 {
        u64::MAX
    }
    /// Bytes read from the peer so far.
    fn bytes_read(&self) -> u64;
    /// How long it may idle, where the peer or a setting says so.
    fn idle_timeout(&self) -> Option<Duration>;
}

/// A connection, seen by those who do not use it.
pub(crate) trait Link: Clone {
    fn id(&self) -> u64;
    /// Takes it out of further use; what is under way goes on.
    fn retire(&self);
    /// Whether it takes no further request.
    fn is_retired(&self) -> bool;
    /// Why it ends. The first reason stays.
    fn note_end(&self, reason: CloseReason);
    /// The pool has no handle of it any more, and nobody has it from the pool.
    fn let_go(&self);
    fn is_let_go(&self) -> bool;
    /// The reason noted.
    fn end_reason(&self) -> CloseReason;
    /// Whether its IO is gone.
    fn is_gone(&self) -> bool;
}

/// Why a handle that came back is of no use.
pub(super) fn reason_of(handle: &impl Handle) -> CloseReason {
    if handle.is_used_up() {
        CloseReason::MaxRequests
    } else {
        CloseReason::Peer
    }
}
