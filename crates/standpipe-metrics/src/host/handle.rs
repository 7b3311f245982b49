use std::sync::{Arc, OnceLock, Weak};

use standpipe_core::Origin;

use super::Shared;
use crate::count::{Cells, slot};
use crate::settings::Settings;

/// A host as the registry keeps it.
#[derive(Debug)]
pub(crate) struct Host {
    /// Holds it for all threads while it is not busy.
    common: Arc<Owner>,
    /// For a busy host, an owner for each thread: two threads that count on one reference count all
    /// the time pay more for it than for all else here.
    owners: OnceLock<Box<[OnceLock<Arc<Owner>>; slot::SLOTS]>>,
}

/// Holds a host, for one thread with the counters that the thread writes.
#[derive(Debug)]
pub(crate) struct Owner {
    shared: Arc<Shared>,
    own: Option<OwnCells>,
}

#[derive(Debug)]
struct OwnCells {
    slot: usize,
    cells: Arc<Cells>,
}

/// Keeps a host while a request counts on it.
#[derive(Clone, Debug)]
pub(crate) struct Handle(Arc<Owner>);

impl Host {
    pub(crate) fn new(settings: Arc<Settings>, origin: Option<Origin>) -> Self {
        let common = Owner {
            shared: Arc::new(Shared::new(settings, origin)),
            own: None,
        };
        Self {
            common: Arc::new(common),
            owners: OnceLock::new(),
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.common.shared
    }

    #[inline]
    pub(crate) fn handle(&self) -> Handle {
        let slot = slot::current();
        let own = self.owners.get().zip(slot);
        let owner = own.and_then(|(owners, slot)| owners[slot].get());
        Handle(owner.unwrap_or_else(|| self.first_owner(slot)).clone())
    }

    /// Of a host that is not busy, or of a thread that is new to it.
    #[cold]
    fn first_owner(&self, slot: Option<usize>) -> &Arc<Owner> {
        let own = slot.and_then(|slot| Some((slot, self.shared().cells_of_thread(slot)?)));
        let Some((slot, cells)) = own else {
            return &self.common;
        };
        let owners = self.owners.get_or_init(Box::default);
        owners[slot].get_or_init(|| {
            let cells = cells.clone();
            Arc::new(Owner {
                shared: self.common.shared.clone(),
                own: Some(OwnCells { slot, cells }),
            })
        })
    }
}

impl Handle {
    pub(crate) fn of(owner: Arc<Owner>) -> Self {
        Self(owner)
    }

    /// A reference that does not keep the host, for a thread of a busy one.
    pub(crate) fn downgrade(&self) -> Option<Weak<Owner>> {
        self.0.own.as_ref().map(|_| Arc::downgrade(&self.0))
    }

    #[inline]
    pub(crate) fn host(&self) -> &Shared {
        &self.0.shared
    }

    /// The thread that the handle was given to; none while the host is not busy.
    pub(crate) fn slot(&self) -> Option<usize> {
        self.0.own.as_ref().map(|own| own.slot)
    }

    /// The counters to write, and whether this thread alone writes them. A request may end on another
    /// thread than it began on.
    #[inline]
    pub(crate) fn cells(&self) -> (&Cells, bool) {
        match &self.0.own {
            Some(own) if slot::current() == Some(own.slot) => (&own.cells, true),
            _ => self.host().cells(),
        }
    }
}
