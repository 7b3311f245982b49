//! What an upload and its response tell each other.

use standpipe_core::Error;
use standpipe_core::sync::Mutex;

use super::lease::Lease;

/// What a streaming request body, which hyper has, shares with the rest of its exchange.
///
/// The lease waits here when the response has ended and the upload has not: a connection, or a
/// stream, is free when both have.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    lease: Mutex<Option<Lease>>,
    fault: Mutex<Option<Error>>,
}

impl Hold {
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
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.get_mut() {
            lease.finish();
        }
    }
}
