//! The stack, put together: one service over all hosts and one per host.

mod attempt;
mod default_headers;
mod hooks;
mod host;
mod judge;
mod optional;

pub use attempt::{AttemptFuture, AttemptTimeout};
pub use default_headers::{DefaultHeaders, DefaultHeadersLayer};
pub(crate) use hooks::Hooks;
pub use host::HostStack;
pub(crate) use host::{HostSettings, PerHost};
pub use judge::AnyRetryAfter;
pub use optional::{Optional, OptionalFuture};

use standpipe_circuit_breaker::{AtHead, CircuitBreaker, Handle};
use standpipe_core::HttpClassifier;
use standpipe_metrics::Metrics;
use standpipe_retry::{Peek, Retry};
use standpipe_router::HostRouter;
use standpipe_timeout::Timeout;
use standpipe_transport::OriginTransport;

/// One sending of a request.
pub type Attempt = Metrics<AttemptTimeout<OriginTransport>>;

/// Attempts behind their host's circuit breaker, where it has one.
pub type Guarded =
    Optional<CircuitBreaker<Attempt, AtHead<HttpClassifier, AnyRetryAfter>>, Attempt>;

/// The stack of one host, below the router.
pub type HostService = DefaultHeaders<Retry<Guarded, Peek>>;

/// The hosts' stacks, each made at the first request to it.
pub type Hosts = HostRouter<HostStack, HostService>;

/// The whole stack, typed and without a box; see
/// [`PoolBuilder::build_service`](crate::PoolBuilder::build_service).
pub type Stack = Metrics<Timeout<Hosts>>;

/// The circuit of a host, where it has one.
pub(crate) fn circuit_of(host: &HostService) -> Option<Handle> {
    match host.get_ref().get_ref() {
        Optional::On(breaker, _) => Some(breaker.handle()),
        Optional::Off(_) => None,
    }
}
