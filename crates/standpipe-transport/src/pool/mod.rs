//! The connection pool: one unit per origin, and what all of them share.

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
mod state;
mod streams;
#[cfg(test)]
mod tests;
mod total;

pub(crate) use origin_pool::{OriginPool, Slot};
pub(crate) use shared::{Lifetimes, Shared};
pub(crate) use state::{Counts, Handle, Sharing, Sweep};
pub(crate) use total::Permit;

use crate::conn::Channel;
#[cfg(not(all(test, standpipe_loom)))]
use crate::dial;
#[cfg(all(test, standpipe_loom))]
use loom::dial;
