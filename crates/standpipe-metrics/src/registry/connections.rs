//! Which connections are open, and which of them are in use.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use standpipe_core::Origin;
use standpipe_core::sync::Mutex;

use super::Registry;
use crate::host::{Host, HostRecorder};
use crate::recorder::ConnectionState;

/// A connection's shard is its number's remainder: they count up.
const SHARDS: usize = 16;

/// The open connections by their numbers.
#[derive(Debug)]
pub(super) struct Connections {
    shards: [Mutex<HashMap<u64, Connection>>; SHARDS],
}

#[derive(Debug)]
struct Connection {
    host: Arc<Host>,
    /// Requests that use it; several at once with HTTP/2.
    users: u32,
}

impl Connection {
    fn state(&self) -> ConnectionState {
        match self.users {
            0 => ConnectionState::Idle,
            _ => ConnectionState::Active,
        }
    }
}

impl Connections {
    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(HashMap::new())),
        }
    }

    fn shard(&self, id: u64) -> &Mutex<HashMap<u64, Connection>> {
        &self.shards[id as usize % SHARDS]
    }

    /// Changes the number of users; gives the host and the states before and after where it changed.
    fn change(
        &self,
        id: u64,
        change: impl FnOnce(u32) -> u32,
    ) -> Option<(HostRecorder, ConnectionState, ConnectionState)> {
        let mut shard = self.shard(id).lock();
        let connection = shard.get_mut(&id)?;
        let before = connection.state();
        connection.users = change(connection.users);
        let after = connection.state();
        let host = (before != after).then(|| Arc::clone(&connection.host))?;
        Some((HostRecorder::new(host), before, after))
    }
}

/// For a transport that knows its connections by number, such as a connection pool with a hook: from
/// what happens to each it follows which are active and which are idle. A number is one that no other
/// connection of the process has at the time; events of an unknown one are passed over. No lock is
/// held while the recorder is told.
impl Registry {
    /// A connection to `origin` is open, and idle until it is leased.
    pub fn connection_opened(&self, origin: &Origin, id: u64) {
        let host = self.admit(origin);
        let new = Connection {
            host: Arc::clone(&host),
            users: 0,
        };
        match self.inner.connections.shard(id).lock().entry(id) {
            Entry::Vacant(place) => place.insert(new),
            Entry::Occupied(_) => return,
        };
        HostRecorder::new(host).connection_opened(ConnectionState::Idle);
    }

    /// A request begins to use a connection. It is active until as many requests are done with it.
    pub fn connection_leased(&self, id: u64) {
        self.connection_used(id, |users| users.saturating_add(1));
    }

    /// A request is done with a connection that stays open.
    pub fn connection_returned(&self, id: u64) {
        self.connection_used(id, |users| users.saturating_sub(1));
    }

    fn connection_used(&self, id: u64, change: impl FnOnce(u32) -> u32) {
        if let Some((host, before, after)) = self.inner.connections.change(id, change) {
            host.connection_moved(before, after);
        }
    }

    /// A connection is closed, for `reason`, such as `idle`, after `lifetime`.
    pub fn connection_closed(&self, id: u64, reason: &'static str, lifetime: Duration) {
        let closed = self.inner.connections.shard(id).lock().remove(&id);
        if let Some(connection) = closed {
            let state = connection.state();
            HostRecorder::new(connection.host).connection_closed(state, reason, lifetime);
        }
    }
}
