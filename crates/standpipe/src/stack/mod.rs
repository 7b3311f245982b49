//! The stack, put together: one service over all hosts and one per host.

mod attempt;
mod body;
mod bottom;
mod breaker;
mod circuit;
mod connection_events;
mod default_headers;
mod hooks;
mod host_layer;
mod host_stack;
mod hosts;
mod idempotency;
mod judge;
mod limit;
mod optional;
mod parts;
mod retry;
mod settings;
mod swapped;
mod totals;
mod until_shutdown;

pub use attempt::{AttemptFuture, AttemptTimeout};
pub use body::StackBody;
pub use bottom::{Bottom, IntoBottom};
pub use breaker::HostBreaker;
pub use connection_events::ConnectionEvents;
pub(crate) use default_headers::fill_in;
pub use default_headers::{DefaultHeaders, DefaultHeadersLayer};
pub(crate) use hooks::Hooks;
pub use hooks::RateLimitEvent;
pub use host_layer::{Around, Fixed, HostContext, HostLayer, NoLayer, PerOrigin};
pub use host_stack::{HostStack, NewHostStack};
pub use hosts::{Hosts, MakeHostStack};
pub(crate) use hosts::{Known, KnownHosts};
pub use idempotency::IdempotencyKeys;
pub(crate) use idempotency::{IDEMPOTENCY_KEY, KEYS as IDEMPOTENCY_KEYS};
pub use judge::AnyRetryAfter;
pub use limit::HostLimit;
pub use optional::{Optional, OptionalFuture};
pub(crate) use parts::HostParts;
pub use parts::HostService;
pub use retry::HostRetry;
pub(crate) use settings::{HostSettings, HostTable, PerHost};
pub use swapped::{Swapped, SwappedFuture};
pub use totals::HostTotals;
pub use until_shutdown::{UntilShutdown, UntilShutdownFuture};

use standpipe_metrics::Metrics;
use standpipe_timeout::Timeout;
use standpipe_transport::Transport;
use tower_layer::Identity;

use crate::redirect::Redirect;

/// The hosts behind the cookies that each hop sends and keeps.
#[cfg(feature = "cookies")]
pub type Hop<H, T> = crate::Cookies<Hosts<H, T>>;

/// The hosts that each hop goes to.
#[cfg(not(feature = "cookies"))]
pub type Hop<H, T> = Hosts<H, T>;

/// What a pool's layers stand around: all of the stack, but for the layers put around the whole.
pub type Core<H = HostStack, T = Transport> =
    Metrics<HostTotals<Timeout<IdempotencyKeys<Redirect<Hop<H, T>>>>>>;

/// The whole stack as it is by default, typed and without a box; see
/// [`PoolBuilder::build_service`](crate::PoolBuilder::build_service).
pub type Stack = <Identity as tower_layer::Layer<Core>>::Service;
