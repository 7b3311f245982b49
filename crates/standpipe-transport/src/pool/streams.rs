//! The shared (HTTP/2) connections of one origin and the streams in use on each.

use tokio::time::Instant;

use super::effects::Effects;
use super::state::{Handle, Link};
use crate::events::CloseReason;

#[derive(Debug)]
struct Shared<C> {
    /// Kept to make further handles from, and to keep the connection open.
    template: C,
    /// Handles that ended their stream and serve the next one.
    spare: Vec<C>,
    in_use: usize,
    /// Streams that were cancelled and that the peer may not know to be over.
    cooling: usize,
    /// How many bytes had been read when the last of them was.
    cooling_at: u64,
    /// Streams given out so far: counted here, under the lock, and not when they are collected.
    taken: u64,
    limit: usize,
    /// The peer has not told its limit yet.
    fresh: bool,
    draining: bool,
    /// A request timed out when so many bytes had been read: no stream until there are more.
    suspect_at: Option<u64>,
    idle_since: Instant,
}

impl<C: Handle> Shared<C> {
    fn has_room(&mut self) -> bool {
        if self.cooling > 0 && self.cooling_at != self.template.bytes_read() {
            self.cooling = 0;
        }
        if self.draining || self.in_use + self.cooling >= self.limit || self.is_spent() {
            return false;
        }
        let trusted = !self.is_suspect();
        if trusted {
            self.suspect_at = None;
        }
        trusted
    }

    fn is_suspect(&self) -> bool {
        self.suspect_at == Some(self.template.bytes_read())
    }

    fn is_spent(&self) -> bool {
        self.taken >= self.template.max_uses() || self.template.is_spent()
    }

    fn is_idle(&self) -> bool {
        self.in_use == 0 && !self.draining
    }
}

/// Shared connections, oldest first: the oldest with room is filled first, so that the later ones
/// run idle when the load falls.
#[derive(Debug)]
pub(crate) struct Streams<C> {
    all: Vec<Shared<C>>,
}

impl<C: Handle> Streams<C> {
    pub(super) fn new() -> Self {
        Self { all: Vec::new() }
    }

    fn find(&mut self, id: u64) -> Option<&mut Shared<C>> {
        self.all
            .iter_mut()
            .find(|shared| shared.template.id() == id)
    }

    /// A new connection, on which one stream is allowed until the peer says more.
    pub(super) fn add(&mut self, handle: C, now: Instant) {
        self.all.push(Shared {
            template: handle,
            spare: Vec::new(),
            in_use: 0,
            cooling: 0,
            cooling_at: 0,
            taken: 0,
            limit: 1,
            fresh: true,
            draining: false,
            suspect_at: None,
            idle_since: now,
        });
    }

    /// A stream on the first connection with room, and the change in idle connections.
    pub(super) fn take(&mut self) -> Option<(C, isize)> {
        let shared = self
            .all
            .iter_mut()
            .find_map(|shared| shared.has_room().then_some(shared))?;
        shared.in_use += 1;
        shared.taken += 1;
        let handle = shared.spare.pop().unwrap_or_else(|| shared.template.fork());
        if shared.in_use > 1 {
            return Some((handle, 0));
        }
        handle.begin_busy();
        Some((handle, -1))
    }

    /// A stream ended; returns the change in idle connections.
    pub(super) fn release<P>(&mut self, handle: C, now: Instant, fx: &mut Effects<C, P>) -> isize {
        let Some(shared) = self.find(handle.id()) else {
            fx.shut(handle, CloseReason::Peer);
            return 0;
        };
        shared.in_use -= 1;
        shared.idle_since = now;
        let id = handle.id();
        let spent = shared.is_spent();
        if shared.in_use > 0 {
            shared.spare.push(handle);
            return 0;
        }
        if spent || shared.draining {
            let used_up = shared.taken >= shared.template.max_uses();
            fx.close.push(handle);
            // It was not counted as idle while it had a stream, and it is not from here on.
            shared.draining = true;
            let reason = if used_up {
                CloseReason::MaxRequests
            } else {
                CloseReason::Peer
            };
            self.remove(id, reason, fx);
            return 0;
        }
        shared.spare.push(handle);
        1
    }

    /// The common case of [`release`](Streams::release): nothing has to be closed. Returns the change
    /// in idle connections; where there must be none, `may_idle` is false.
    pub(super) fn keep(&mut self, handle: C, now: Instant, may_idle: bool) -> Result<isize, C> {
        match self.find(handle.id()) {
            Some(shared)
                if !shared.draining && (may_idle || shared.in_use > 1) && !shared.is_spent() =>
            {
                shared.in_use -= 1;
                shared.idle_since = now;
                shared.spare.push(handle);
                Ok(isize::from(shared.in_use == 0))
            }
            _ => Err(handle),
        }
    }

    pub(super) fn set_limit(&mut self, id: u64, limit: usize) {
        if let Some(shared) = self.find(id) {
            shared.limit = limit;
            shared.fresh = false;
        }
    }

    /// The first SETTINGS did not come in time.
    pub(super) fn settings_overdue(&mut self, id: u64) {
        if let Some(shared) = self.find(id) {
            shared.fresh = false;
        }
    }

    pub(super) fn suspect(&mut self, id: u64) {
        if let Some(shared) = self.find(id) {
            shared.suspect_at = Some(shared.template.bytes_read());
        }
    }

    /// A stream is about to be cancelled. The peer, which has not read that yet, would count the next
    /// one besides: the room that it leaves is given out after the next read.
    pub(super) fn cool(&mut self, id: u64) {
        if let Some(shared) = self.find(id) {
            shared.cooling += 1;
            shared.cooling_at = shared.template.bytes_read();
        }
    }

    /// The peer has had time enough to read of what was cancelled.
    pub(super) fn cooled(&mut self, id: u64) {
        if let Some(shared) = self.find(id) {
            shared.cooling = 0;
        }
    }

    /// No new streams; returns the change in idle connections.
    pub(super) fn drain<P>(
        &mut self,
        id: u64,
        reason: CloseReason,
        fx: &mut Effects<C, P>,
    ) -> isize {
        match self.find(id) {
            Some(shared) if shared.in_use > 0 => {
                shared.draining = true;
                shared.template.link().note_end(reason);
                0
            }
            Some(_) => self.remove(id, reason, fx),
            None => 0,
        }
    }

    /// Takes a connection out; returns the change in idle connections.
    pub(super) fn remove<P>(
        &mut self,
        id: u64,
        reason: CloseReason,
        fx: &mut Effects<C, P>,
    ) -> isize {
        let Some(at) = self
            .all
            .iter()
            .position(|shared| shared.template.id() == id)
        else {
            return 0;
        };
        let shared = self.all.remove(at);
        let change = if shared.is_idle() { -1 } else { 0 };
        fx.shut(shared.template, reason);
        fx.close.extend(shared.spare);
        change
    }

    pub(super) fn ids(&self) -> Vec<u64> {
        self.all.iter().map(|shared| shared.template.id()).collect()
    }

    /// Whether a connection still waits for the peer's limit, which may make a dial needless.
    pub(super) fn any_fresh(&self) -> bool {
        self.all
            .iter()
            .any(|shared| shared.fresh && !shared.draining && !shared.is_suspect())
    }

    /// Takes out a connection without streams from which nothing came, to make room for a better
    /// one; returns the change in idle connections.
    pub(super) fn remove_suspect<P>(&mut self, fx: &mut Effects<C, P>) -> isize {
        let suspect = |shared: &&Shared<C>| shared.is_idle() && shared.is_suspect();
        match self.all.iter().find(suspect).map(|s| s.template.id()) {
            Some(id) => self.remove(id, CloseReason::Suspect, fx),
            None => 0,
        }
    }

    pub(super) fn idle_since(&self, id: u64) -> Option<Instant> {
        let shared = self.all.iter().find(|shared| shared.template.id() == id)?;
        shared.is_idle().then_some(shared.idle_since)
    }

    pub(super) fn oldest_idle(&self) -> Option<(Instant, u64)> {
        let idle = self.all.iter().filter(|shared| shared.is_idle());
        idle.map(|shared| (shared.idle_since, shared.template.id()))
            .min()
    }

    pub(super) fn idle_count(&self) -> usize {
        self.all.iter().filter(|shared| shared.is_idle()).count()
    }

    pub(super) fn in_use(&self) -> usize {
        self.all.iter().map(|shared| shared.in_use).sum()
    }

    #[cfg(test)]
    pub(super) fn any_room(&mut self) -> bool {
        self.all.iter_mut().any(Shared::has_room)
    }
}
