//! The stack, put together: one service over all hosts and one per host.

mod default_headers;
mod host;

pub use default_headers::{DefaultHeaders, DefaultHeadersLayer};
pub(crate) use host::HostSettings;
pub use host::HostStack;

use standpipe_router::HostRouter;
use standpipe_timeout::Timeout;
use standpipe_transport::OriginTransport;

/// The stack of one host, below the router.
pub type HostService = DefaultHeaders<Timeout<OriginTransport>>;

/// The whole stack, typed and without a box; see
/// [`PoolBuilder::build_service`](crate::PoolBuilder::build_service).
pub type Stack = Timeout<HostRouter<HostStack, HostService>>;
