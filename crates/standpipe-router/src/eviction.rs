use std::sync::Arc;

use standpipe_core::Origin;

/// Why a host left the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Eviction {
    /// No request was in flight for the idle timeout.
    Idle,
    /// It was the one used least recently when there were more hosts than allowed.
    Bound,
    /// It was taken out by [`remove`](crate::HostRouter::remove) or
    /// [`retain`](crate::HostRouter::retain).
    Removed,
}

/// The hook. A plain `Arc`, since it is called where nothing is hot.
pub(crate) type OnEvict = Arc<dyn Fn(&Origin, Eviction) + Send + Sync>;
