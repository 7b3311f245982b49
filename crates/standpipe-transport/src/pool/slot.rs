use std::sync::{Arc, Weak};

use super::alive::Bell;
use super::{OriginPool, Permit};
use crate::conn::ConnMeta;
use crate::events::{CloseReason, Closed, Events};
use standpipe_core::Origin;
use tokio::time::Instant;

/// The right of one connection to exist, from before its dial to the drop of its IO.
#[derive(Debug)]
pub(crate) struct Slot {
    pool: Weak<OriginPool>,
    /// The connection that it became.
    link: Option<Arc<ConnMeta>>,
    origin: Origin,
    events: Events,
    permit: Permit<OriginPool>,
    /// The last to go: whoever waits for all to be gone finds the permit given back.
    _bell: Bell,
}

impl Slot {
    pub(crate) fn new(pool: &Arc<OriginPool>, permit: Permit<OriginPool>) -> Self {
        Self {
            pool: Arc::downgrade(pool),
            link: None,
            origin: pool.key.origin().clone(),
            events: pool.shared.events.clone(),
            permit,
            _bell: pool.shared.alive.enter(),
        }
    }

    /// The peer wants to be left alone for a while.
    pub(crate) fn ask_for_calm(&self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.calm.ask(Instant::now());
        }
    }

    pub(crate) fn set_evicted(&mut self) {
        self.permit.set_evicted();
    }

    pub(crate) fn set_link(&mut self, link: &Arc<ConnMeta>) {
        self.link = Some(Arc::clone(link));
    }
}

impl Drop for Slot {
    /// The origin hears of it first, so that one which is short of a permit itself is in the line
    /// before the permit goes to the line's head, which then drops with the field.
    fn drop(&mut self) {
        let counted = match self.pool.upgrade() {
            Some(pool) => pool.slot_closed(self.link.as_ref()),
            // Its pool, and so its handle, went before it.
            None => {
                if let Some(link) = &self.link {
                    link.end.note(CloseReason::Shutdown);
                }
                self.link.as_ref().is_some_and(|l| l.end.is_published())
            }
        };
        if let Some(link) = self.link.as_ref().filter(|_| counted) {
            tell_closed(&self.events, &self.origin, link);
        }
    }
}

pub(super) fn tell_closed(events: &Events, origin: &Origin, link: &ConnMeta) {
    events.tell(|hook| {
        let closed = Closed {
            connection: &link.facts,
            reason: link.end.reason().unwrap_or(CloseReason::Peer),
            age: link.facts.opened.elapsed(),
            uses: link.uses(),
        };
        hook.closed(origin, &closed);
    });
}
