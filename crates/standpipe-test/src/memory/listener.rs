use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

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
#[derive(Default)]
pub(super) struct Backlog {
    streams: Mutex<VecDeque<MemoryStream>>,
    changes: Changes,
    /// How many dials have come, those refused among them.
    dials: AtomicUsize,
    refuses: OnceLock<Refuses>,
}

type Refuses = Box<dyn Fn(usize) -> bool + Send + Sync>;

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

    /// Refuses dials by their numbers, counted from 0. Once for a listener, before the first.
    #[cfg(feature = "server")]
    pub(crate) fn refuse_by(&self, refuses: impl Fn(usize) -> bool + Send + Sync + 'static) {
        let unset = self.backlog.refuses.set(Box::new(refuses));
        debug_assert!(unset.is_ok(), "a listener of two servers");
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
    /// Counts a dial, and says whether it may connect.
    pub(super) fn admits(&self) -> bool {
        let number = self.dials.fetch_add(1, Ordering::Relaxed);
        !self.refuses.get().is_some_and(|refuses| refuses(number))
    }

    pub(super) fn push(&self, stream: MemoryStream) {
        self.streams.lock().push_back(stream);
        self.changes.announce();
    }
}

impl fmt::Debug for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backlog")
            .field("streams", &self.streams)
            .field("dials", &self.dials)
            .finish_non_exhaustive()
    }
}
