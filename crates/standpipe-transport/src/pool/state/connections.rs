//! Connections that come back and go.

use tokio::time::Instant;

use super::{Effects, Handle, State};

impl<C: Handle, P> State<C, P> {
    /// A lease ended, or a grant was not collected.
    pub(crate) fn put_back(&mut self, handle: C, now: Instant, fx: &mut Effects<C, P>) {
        if handle.is_shared() {
            fx.idle_change += self.streams.release(handle, now, fx);
        } else if self.closed || handle.is_spent() {
            fx.close.push(handle);
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

    /// The driver of a connection in `settling` can take another request.
    pub(crate) fn settled(&mut self, id: u64, now: Instant, fx: &mut Effects<C, P>) {
        if let Some(at) = self.settling.iter().position(|c| c.id() == id) {
            let handle = self.settling.swap_remove(at);
            self.put_back(handle, now, fx);
        }
    }

    /// The IO of a connection, or of a dial, is gone.
    pub(crate) fn slot_closed(&mut self, fx: &mut Effects<C, P>) {
        self.slots -= 1;
        self.serve(fx);
    }

    /// A connection's driver has ended: nothing more can be sent on it.
    pub(crate) fn driver_ended(&mut self, id: u64, fx: &mut Effects<C, P>) {
        self.take_out(id, fx);
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

    /// A connection has lived long enough: it closes at once, or when it comes back.
    pub(crate) fn retire(&mut self, id: u64, fx: &mut Effects<C, P>) {
        if self.idle.iter().any(|idle| idle.handle.id() == id) {
            self.take_out(id, fx);
        }
        self.drain(id, fx);
    }

    /// Takes a shared connection out of use; it closes when its last stream has ended.
    pub(crate) fn drain(&mut self, id: u64, fx: &mut Effects<C, P>) {
        fx.idle_change += self.streams.drain(id, fx);
        self.serve(fx);
    }
}
