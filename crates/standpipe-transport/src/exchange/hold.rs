//! What an upload and its response tell each other.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use standpipe_core::Error;
use standpipe_core::sync::Mutex;

use super::expect::Gate;
use super::lease::Lease;

/// What a streaming request body, which hyper has, shares with the rest of its exchange.
///
/// The lease waits here when the response has ended and the upload has not: a connection, or a
/// stream, is free when both have.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    lease: Mutex<Option<Lease>>,
    fault: Mutex<Option<Error>>,
    abandoned: Mutex<Abandoned>,
    /// Where the body waits for the server's leave.
    gate: Option<Gate>,
}

#[derive(Debug, Default)]
enum Abandoned {
    #[default]
    No,
    /// No, and this one wants to know.
    Waited(Waker),
    Yes,
}

impl Hold {
    /// The body waits for the server's leave, for no longer than `limit`.
    pub(crate) fn gated(limit: Duration) -> Self {
        Self {
            lease: Mutex::default(),
            fault: Mutex::default(),
            abandoned: Mutex::default(),
            gate: Some(Gate::new(limit)),
        }
    }

    pub(crate) fn gate(&self) -> Option<&Gate> {
        self.gate.as_ref()
    }

    /// Leaves the lease here. It ends with whoever lets go of the hold last.
    pub(crate) fn keep(&self, lease: Lease) {
        *self.lease.lock() = Some(lease);
    }

    /// The upload has failed. Over HTTP/2 hyper resets the stream for it and forgets the error.
    #[cold]
    pub(crate) fn fail(&self, error: Error) {
        *self.fault.lock() = Some(error);
    }

    /// The error of the upload.
    pub(crate) fn fault(&self) -> Option<Error> {
        self.fault.lock().clone()
    }

    /// Nobody wants the response any more, so the upload is to end as well.
    pub(crate) fn abandon(&self) {
        let before = std::mem::replace(&mut *self.abandoned.lock(), Abandoned::Yes);
        if let Abandoned::Waited(waker) = before {
            waker.wake();
        }
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        matches!(*self.abandoned.lock(), Abandoned::Yes)
    }

    /// For the upload, which has to wait: whether it is to end.
    pub(crate) fn poll_abandoned(&self, cx: &Context<'_>) -> Poll<()> {
        let mut abandoned = self.abandoned.lock();
        let before = match &mut *abandoned {
            Abandoned::Yes => return Poll::Ready(()),
            Abandoned::Waited(waker) if waker.will_wake(cx.waker()) => return Poll::Pending,
            other => std::mem::replace(other, Abandoned::Waited(cx.waker().clone())),
        };
        // A waker may run foreign code in its drop.
        drop(abandoned);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.get_mut() {
            lease.finish();
        }
    }
}
