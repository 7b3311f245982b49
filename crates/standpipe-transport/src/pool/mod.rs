//! The connection pool: one unit per origin, and what all of them share.

mod alive;
mod calm;
mod counters;
mod effects;
#[cfg(test)]
mod fake;
mod index;
#[cfg(all(test, standpipe_loom))]
mod loom;
#[cfg(all(test, not(standpipe_loom)))]
mod model;
mod origin_pool;
mod shared;
mod shutdown;
mod slot;
mod state;
mod streams;
#[cfg(test)]
mod tests;
mod total;
mod warm;

pub(crate) use alive::Bell;
pub(crate) use origin_pool::OriginPool;
pub(crate) use shared::{Lifetimes, Shared};
pub use shutdown::{Shutdown, ShutdownReport};
pub(crate) use slot::Slot;
pub use state::ClosedCounts;
pub(crate) use state::{Counts, DialTag, Handle, Link, Sharing, Sweep};
pub(crate) use total::Permit;
pub use warm::Warm;

use crate::conn::Channel;
#[cfg(not(all(test, standpipe_loom)))]
use crate::dial;
#[cfg(all(test, standpipe_loom))]
use loom::dial;
