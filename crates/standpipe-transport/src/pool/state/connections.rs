//! Connections that come back and go.

use tokio::time::Instant;

use super::{CloseReason, Effects, Handle, Idle, Link, State, reason_of};

impl<C: Handle, P> State<C, P> {
    /// The common case of [`put_back`](State::put_back), which leaves nothing to do but to note the
    /// change in idle connections; else the handle is given back.
    #[inline]
    pub(crate) fn keep_free(&mut self, handle: C, now: Instant) -> Result<isize, C> {
        if self.closed || self.excess > 0 || !self.waiters.is_empty() {
            Err(handle)
        } else if handle.is_shared() {
            self.streams.keep(handle, now, self.listed)
        } else if self.listed
            && self.idle.len() < self.limits.idle
            && !handle.is_spent()
            && handle.is_ready()
        {
            self.idle.push_back(Idle { handle, since: now });
            Ok(1)
        } else {
            Err(handle)
        }
    }

    /// A lease ended, or a grant was not collected.
    pub(crate) fn put_back(&mut self, handle: C, now: Instant, fx: &mut Effects<C, P>) {
        if handle.is_shared() {
            fx.idle_change += self.streams.release(handle, now, fx);
        } else if self.closed || self.excess > 0 || handle.is_spent() {
            self.shut_returned(handle, fx);
        } else if !handle.is_ready() && !handle.settle() {
            self.settling.push(handle);
        } else {
            self.push_idle(handle, now, fx);
        }
        if !self.waiters.is_empty() {
            self.serve(fx);
        }
        self.trim(now, fx);
    }

    #[cold]
    fn shut_returned(&mut self, handle: C, fx: &mut Effects<C, P>) {
        let reason = if self.closed {
            CloseReason::Shutdown
        } else if handle.is_spent() {
            reason_of(&handle)
        } else {
            CloseReason::LimitLowered
        };
        self.excess = self.excess.saturating_sub(1);
        fx.shut(handle, reason);
    }

    /// The driver of a connection in `settling` can take another request.
    pub(crate) fn settled(&mut self, id: u64, now: Instant, fx: &mut Effects<C, P>) {
        if let Some(at) = self.settling.iter().position(|c| c.id() == id) {
            let handle = self.settling.swap_remove(at);
            self.put_back(handle, now, fx);
        }
    }

    /// The IO of a connection, or of a dial, is gone. True when that closed a connection which had
    /// been counted as created.
    pub(crate) fn slot_closed(&mut self, link: Option<&C::Link>, fx: &mut Effects<C, P>) -> bool {
        self.slots -= 1;
        let at = link.and_then(|link| self.live.iter().position(|live| live.id() == link.id()));
        if let Some(at) = at {
            let link = self.live.swap_remove(at);
            self.totals.count_closed(link.end_reason());
        }
        let above = self.live.len().saturating_sub(self.limits.connections);
        self.excess = self.excess.min(above);
        self.serve(fx);
        self.wake_watchers(fx);
        at.is_some()
    }

    /// A connection's driver has ended: nothing more can be sent on it.
    pub(crate) fn driver_ended(&mut self, id: u64, fx: &mut Effects<C, P>) {
        self.take_out(id, CloseReason::Peer, fx);
        self.serve(fx);
    }

    /// The peer's limit on streams, as of now.
    pub(crate) fn set_stream_limit(&mut self, id: u64, limit: usize, fx: &mut Effects<C, P>) {
        self.streams.set_limit(id, limit);
        self.serve(fx);
    }

    /// Bytes arrived on a connection that was not trusted for want of them.
    pub(crate) fn revived(&mut self, fx: &mut Effects<C, P>) {
        self.serve(fx);
    }

    /// A request timed out on a shared connection: it gets no stream until bytes arrive on it.
    pub(crate) fn suspect(&mut self, id: u64, fx: &mut Effects<C, P>) {
        self.streams.suspect(id);
        self.serve(fx);
    }

    /// Nothing came on a shared connection for longer than its peer may be silent. One without streams
    /// has nothing to say.
    pub(crate) fn silent(&mut self, id: u64, fx: &mut Effects<C, P>) {
        if self.streams.idle_since(id).is_none() {
            self.suspect(id, fx);
        }
    }

    /// A stream of a shared connection is about to be cancelled.
    pub(crate) fn cool(&mut self, id: u64) {
        self.streams.cool(id);
    }

    /// Some time has passed since streams of a shared connection were cancelled.
    pub(crate) fn cooled(&mut self, id: u64, fx: &mut Effects<C, P>) {
        self.streams.cooled(id);
        self.serve(fx);
    }

    /// The peer has not told its limit in time: the connection stands for a dial no longer.
    pub(crate) fn settings_overdue(&mut self, id: u64, fx: &mut Effects<C, P>) {
        self.streams.settings_overdue(id);
        self.serve(fx);
    }

    /// A connection is to be used no more: it closes at once, or when it comes back.
    pub(crate) fn retire(&mut self, id: u64, reason: CloseReason, fx: &mut Effects<C, P>) {
        if let Some(link) = self.live.iter().find(|link| link.id() == id) {
            link.note_end(reason);
            link.retire();
        }
        if self.idle.iter().any(|idle| idle.handle.id() == id) {
            self.take_out(id, reason, fx);
        }
        self.drain(id, reason, fx);
    }

    /// Takes a shared connection out of use; it closes when its last stream has ended.
    pub(crate) fn drain(&mut self, id: u64, reason: CloseReason, fx: &mut Effects<C, P>) {
        fx.idle_change += self.streams.drain(id, reason, fx);
        self.serve(fx);
        self.wake_watchers(fx);
    }
}
