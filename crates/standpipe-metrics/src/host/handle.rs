use std::ops::Deref;
use std::sync::{Arc, OnceLock, Weak};

use standpipe_core::Origin;

use super::Shared;
use crate::count::slot;
use crate::settings::Settings;

/// A host as the registry keeps it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) shared: Arc<Shared>,
    /// For a busy host, an owner for each thread: two threads that count on one reference count all
    /// the time pay more for it than for all else here.
    owners: OnceLock<Box<[OnceLock<Arc<Owner>>; slot::SLOTS]>>,
}

/// Holds a host for one thread.
#[derive(Debug)]
pub(crate) struct Owner {
    shared: Arc<Shared>,
}

/// Keeps a host while a request counts on it.
#[derive(Clone, Debug)]
pub(crate) enum Handle {
    Shared(Arc<Shared>),
    Owner(Arc<Owner>),
}

impl Host {
    pub(crate) fn new(settings: Arc<Settings>, origin: Option<Origin>) -> Self {
        Self {
            shared: Arc::new(Shared::new(settings, origin)),
            owners: OnceLock::new(),
        }
    }

    pub(crate) fn handle(&self) -> Handle {
        if self.shared.has_parted()
            && let Some(slot) = slot::current()
        {
            let owners = self.owners.get_or_init(Box::default);
            let owner = owners[slot].get_or_init(|| {
                Arc::new(Owner {
                    shared: self.shared.clone(),
                })
            });
            return Handle::Owner(owner.clone());
        }
        Handle::Shared(self.shared.clone())
    }
}

impl Handle {
    /// A reference that does not keep the host, for a busy one.
    pub(crate) fn downgrade(&self) -> Option<Weak<Owner>> {
        match self {
            Self::Shared(_) => None,
            Self::Owner(owner) => Some(Arc::downgrade(owner)),
        }
    }
}

impl Deref for Handle {
    type Target = Shared;

    #[inline]
    fn deref(&self) -> &Shared {
        match self {
            Self::Shared(shared) => shared,
            Self::Owner(owner) => &owner.shared,
        }
    }
}
