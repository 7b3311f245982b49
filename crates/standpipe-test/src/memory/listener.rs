use std::collections::VecDeque;
use std::sync::Arc;

use standpipe_core::sync::Mutex;

use super::network::Network;
use super::stream::MemoryStream;
use crate::changes::Changes;

/// The server's end of an address of a [`Network`].
///
/// A dial succeeds before it is accepted, as by TCP. When the listener is dropped, connections
/// that were never accepted are reset, dials that a [`DialHold`](super::DialHold) keeps waiting
/// are refused, and so is every later dial until someone listens again.
#[derive(Debug)]
pub struct Listener {
    network: Network,
    address: String,
    backlog: Arc<Backlog>,
}

/// The connections that wait to be accepted.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    streams: Mutex<VecDeque<MemoryStream>>,
    changes: Changes,
}

impl Listener {
    pub(super) fn new(network: Network, address: String, backlog: Arc<Backlog>) -> Self {
        Self {
            network,
            address,
            backlog,
        }
    }

    /// The address listened on, such as `example.com:80`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The server's side of the next connection, in the order of the dials.
    ///
    /// # Cancel safety
    ///
    /// A connection is taken only when it is returned.
    pub async fn accept(&self) -> MemoryStream {
        self.backlog.changes.until(|| self.try_accept()).await
    }

    /// The next connection, if one waits.
    pub fn try_accept(&self) -> Option<MemoryStream> {
        self.backlog.streams.lock().pop_front()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.network.unlisten(&self.address);
        let left = std::mem::take(&mut *self.backlog.streams.lock());
        left.into_iter().for_each(MemoryStream::reset);
    }
}

impl Backlog {
    pub(super) fn push(&self, stream: MemoryStream) {
        self.streams.lock().push_back(stream);
        self.changes.announce();
    }
}
