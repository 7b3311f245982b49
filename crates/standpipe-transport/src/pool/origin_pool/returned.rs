//! Connections whose lease has ended.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Channel, OriginPool};
use crate::events::CloseReason;
use crate::pool::state::Handle;

impl OriginPool {
    /// A lease ended, and its connection can be used again.
    pub(crate) fn put_back(self: &Arc<Self>, channel: Channel) {
        self.shared
            .events
            .tell_use(|hook| hook.returned(self.key.origin(), &channel.meta.facts));
        self.take_back(channel);
    }

    fn take_back(self: &Arc<Self>, channel: Channel) {
        if self.shared.total.short() > 0 && self.yields(&channel) {
            return;
        }
        let now = Instant::now();
        let kept = self.state.lock().keep_free(channel, now);
        match kept {
            Ok(idle_change) => self.shared.index.add(idle_change),
            Err(channel) => self.with(|state, fx| state.put_back(channel, now, fx)),
        }
        self.shared.rebalance();
    }

    /// A lease ended and its connection cannot be used again. A shared one lives on.
    pub(crate) fn discard(self: &Arc<Self>, channel: Channel) {
        if channel.is_shared() {
            return self.put_back(channel);
        }
        if !channel.is_spent() {
            channel.meta.end.note(CloseReason::Cancelled);
        }
        channel.meta.close();
    }

    /// Another origin has waited longer for a permit than this one's head for a connection: the
    /// connection that comes back is closed, and its permit goes there.
    fn yields(self: &Arc<Self>, channel: &Channel) -> bool {
        let head = self.state.lock().head_since();
        if !self.shared.total.begin_yield(self, head) {
            return false;
        }
        if channel.is_shared() {
            let id = channel.id();
            self.with(|state, fx| state.drain(id, CloseReason::Yielded, fx));
            return false;
        }
        channel.meta.end.note(CloseReason::Yielded);
        channel.meta.close();
        true
    }
}
