//! Connections that are opened ahead of requests.

use std::sync::Arc;
use std::task::Context;

use super::OriginPool;
use crate::pool::dial;
use crate::pool::state::Warmth;

impl OriginPool {
    pub(crate) fn watch(&self) -> u64 {
        self.state.lock().watch()
    }

    pub(crate) fn unwatch(&self, id: u64) {
        let watcher = self.state.lock().unwatch(id);
        drop(watcher);
    }

    pub(crate) fn poll_watcher(
        &self,
        id: u64,
        target: usize,
        more: bool,
        cx: &Context<'_>,
    ) -> Warmth {
        self.state.lock().poll_watcher(id, target, more, cx)
    }

    /// Begins a dial that nobody waits for, if a permit is free and there is room.
    pub(crate) fn dial_ahead(self: &Arc<Self>) -> bool {
        let Some(permit) = self.shared.total.try_request(self) else {
            return false;
        };
        // A shutdown may have taken it for a dial about to begin: it looks again when the permit
        // has gone back unused.
        let _bell = self.shared.alive.enter();
        let used = self.state.lock().use_permit(permit);
        let Ok((permit, tag)) = used else {
            return false;
        };
        dial::spawn(self, permit, tag);
        true
    }

    /// Dials until the origin has as many connections as it is to keep. Only from within a task, as
    /// it spawns.
    pub(crate) fn replenish(self: &Arc<Self>) {
        while self.state.lock().is_below_minimum()
            && self.shared.may_idle_more()
            && self.dial_ahead()
        {}
    }
}
