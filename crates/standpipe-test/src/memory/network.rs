use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use standpipe_core::sync::Mutex;

use super::address;
use super::connector::{Dial, MemoryConnector};
use super::dials::{Dials, Verdict};
use super::hold::DialHold;
use super::listener::{Backlog, Listener};
use super::stream::MemoryStream;
use crate::changes::Changes;

/// A network in memory: addresses that are listened on and dialled by name, with no sockets, no
/// tasks and no clock of its own.
///
/// # Clone
///
/// All clones are the same network.
#[derive(Clone, Debug)]
pub struct Network {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changes: Changes,
    buffer_size: usize,
}

#[derive(Debug, Default)]
struct State {
    listeners: HashMap<String, Arc<Backlog>>,
    dials: Dials,
    connections: usize,
    open: usize,
    peak: usize,
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Network {
    /// A network with nobody on it, whose connections hold up to 64 KiB in each direction.
    pub fn new() -> Self {
        Self::with_buffer_size(64 * 1024)
    }

    /// A network whose connections hold up to `bytes` in each direction before a write waits for
    /// the reader.
    ///
    /// # Panics
    ///
    /// When `bytes` is 0.
    #[track_caller]
    pub fn with_buffer_size(bytes: usize) -> Self {
        assert!(bytes > 0, "a connection without a buffer carries nothing");
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State::default()),
                changes: Changes::default(),
                buffer_size: bytes,
            }),
        }
    }

    /// Listens on an address, as `example.com:80`. The host is compared without regard to case; a
    /// URI that names no port leads to its scheme's.
    ///
    /// # Panics
    ///
    /// When `address` is not a host and a port, or someone listens on it already.
    #[track_caller]
    pub fn listen(&self, address: &str) -> Listener {
        let address = address::of_text(address).unwrap_or_else(|error| panic!("{error}"));
        let backlog = Arc::new(Backlog::default());
        let free = match self.shared.state.lock().listeners.entry(address.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(backlog.clone());
                true
            }
            Entry::Occupied(_) => false,
        };
        assert!(free, "{address} is listened on already");
        Listener::new(self.clone(), address, backlog)
    }

    /// A connector that dials this network.
    pub fn connector(&self) -> MemoryConnector {
        MemoryConnector::new(self.clone())
    }

    /// Dials an address given as `example.com:80`, and gives the client's side.
    ///
    /// # Errors
    ///
    /// As the [connector](MemoryConnector)'s.
    pub async fn dial(&self, address: &str) -> io::Result<MemoryStream> {
        let dial = Dial::new(self.clone(), address::of_text(address));
        Ok(dial.await?.into_inner())
    }

    /// How many dials have begun, whatever became of them.
    pub fn dials(&self) -> usize {
        self.shared.state.lock().dials.begun()
    }

    /// Keeps every dial that begins from now on waiting, until the hold lets it through.
    pub fn hold_dials(&self) -> DialHold {
        self.shared.state.lock().dials.hold();
        DialHold::new(self.clone())
    }

    /// Makes the next `n` dials fail. What is held counts when it is let through.
    pub fn fail_next_dials(&self, n: usize, kind: io::ErrorKind) {
        self.shared.state.lock().dials.fail_next(n, kind);
    }

    /// How many connections are open: those whose client's side has not been dropped.
    pub fn open_connections(&self) -> usize {
        self.shared.state.lock().open
    }

    /// The most connections that were open at once.
    pub fn peak_connections(&self) -> usize {
        self.shared.state.lock().peak
    }

    /// Waits until no connection is open.
    pub async fn all_closed(&self) {
        let closed = || (self.open_connections() == 0).then_some(());
        self.shared.changes.until(closed).await;
    }

    /// Makes a connection and gives the server's side to whoever listens.
    pub(super) fn connect(&self, address: &str) -> io::Result<MemoryStream> {
        let backlog = self.shared.state.lock().listeners.get(address).cloned();
        let Some(backlog) = backlog else {
            return Err(refused(address, "nobody listens"));
        };
        if !backlog.admits() {
            return Err(refused(address, "dials are refused"));
        }
        let open = self.open();
        let (client, server) = MemoryStream::pair(address, self.shared.buffer_size, open);
        backlog.push(server);
        Ok(client)
    }

    fn open(&self) -> OpenConnection {
        let mut state = self.shared.state.lock();
        state.connections += 1;
        state.open += 1;
        state.peak = state.peak.max(state.open);
        OpenConnection {
            network: self.clone(),
            number: state.connections,
        }
    }

    pub(super) fn begin_dial(&self, address: &str) -> u64 {
        let dial = self.shared.state.lock().dials.begin(address);
        self.shared.changes.announce();
        dial
    }

    pub(super) fn poll_dial(&self, dial: u64, cx: &Context<'_>) -> Poll<Verdict> {
        self.shared.state.lock().dials.poll(dial, cx)
    }

    pub(super) fn cancel_dial(&self, dial: u64) {
        self.shared.state.lock().dials.cancel(dial);
    }

    pub(super) fn release_dials(&self, n: usize) {
        let wakers = self.shared.state.lock().dials.release(n);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn end_hold(&self) {
        let wakers = self.shared.state.lock().dials.unhold();
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn held_dials(&self) -> usize {
        self.shared.state.lock().dials.held()
    }

    pub(super) async fn dials_held(&self, n: usize) {
        let held = || (self.held_dials() >= n).then_some(());
        self.shared.changes.until(held).await;
    }

    pub(super) fn unlisten(&self, address: &str) {
        let wakers = {
            let mut state = self.shared.state.lock();
            state.listeners.remove(address);
            state.dials.refuse(address)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Counts a connection as open while it lives.
#[derive(Debug)]
pub(super) struct OpenConnection {
    network: Network,
    number: usize,
}

impl OpenConnection {
    pub(super) fn number(&self) -> usize {
        self.number
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.network.shared.state.lock().open -= 1;
        self.network.shared.changes.announce();
    }
}

fn refused(address: &str, why: &str) -> io::Error {
    let message = format!("{why} on {address}");
    io::Error::new(io::ErrorKind::ConnectionRefused, message)
}
