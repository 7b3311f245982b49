//! Connections that are taken out of use.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use standpipe_core::ConnectionFacts;
use tokio::time::Instant;

use super::OriginPool;
use crate::conn::ConnMeta;
use crate::events::CloseReason;
use crate::pool::state::{Closing, Sweep};

impl OriginPool {
    /// Whether connection `id` has idled too long; it is taken out then.
    pub(crate) fn sweep(self: &Arc<Self>, id: u64, timeout: Duration) -> Sweep {
        let now = Instant::now();
        self.with(|state, fx| state.sweep(id, timeout, now, fx))
    }

    /// Takes a connection out of further use.
    pub(crate) fn retire(self: &Arc<Self>, id: u64, reason: CloseReason) {
        self.with(|state, fx| state.retire(id, reason, fx));
    }

    /// Takes the connections of which `retires` says so out of further use: those that idle close now,
    /// the others when they come back. Returns how many those are.
    pub(crate) fn retire_where(
        self: &Arc<Self>,
        reason: CloseReason,
        retires: impl Fn(&ConnectionFacts) -> bool,
    ) -> usize {
        let links = self.links();
        let chosen = links.iter().filter(|link| retires(&link.facts));
        chosen.map(|link| self.retire(link.id(), reason)).count()
    }

    /// Retires the connections to other addresses than these, which the origin's name no longer has;
    /// returns how many.
    pub(crate) fn keep_addresses(self: &Arc<Self>, addresses: &[IpAddr]) -> usize {
        self.retire_where(CloseReason::Address, |connection| {
            let peer = connection.peer.map(|peer| peer.ip());
            peer.is_some_and(|peer| !addresses.contains(&peer))
        })
    }

    /// All connections that were opened and whose IO is alive.
    pub(crate) fn links(&self) -> Vec<Arc<ConnMeta>> {
        self.state.lock().links()
    }

    pub(crate) fn close(self: &Arc<Self>) -> Closing {
        self.with(|state, fx| state.close(fx))
    }

    /// Closes all connections under whoever uses them; returns how many requests that ended.
    pub(crate) fn cut(&self) -> usize {
        let (in_flight, links) = {
            let state = self.state.lock();
            (state.in_flight(), state.links())
        };
        for link in links {
            link.cut();
        }
        in_flight
    }

    /// Closes the least recently used idle connection of this origin.
    pub(crate) fn evict_oldest(self: &Arc<Self>, for_line: bool) -> bool {
        let reason = match for_line {
            true if self.shared.total.is_above() => CloseReason::LimitLowered,
            true => CloseReason::Yielded,
            false => CloseReason::IdleLimit,
        };
        self.with(|state, fx| {
            loop {
                let before = fx.close.len();
                if state.evict_oldest(reason, fx).is_none() {
                    return false;
                }
                // One whose permit is on its way back brings the line nothing more: another goes.
                let evicted = &fx.close[before..];
                if !for_line || evicted.iter().any(|channel| channel.meta.set_evicted()) {
                    return true;
                }
            }
        })
    }

    /// Closes all idle connections of this origin; returns how many.
    pub(crate) fn close_idle(self: &Arc<Self>, reason: CloseReason) -> usize {
        self.with(|state, fx| state.close_idle(reason, fx))
    }
}
