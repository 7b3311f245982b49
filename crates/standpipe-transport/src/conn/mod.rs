//! One connection: its IO, what is known of it, the handle for requests and the task that drives it.

// In the models hyper has a stand-in, whose state loom can see.
#[cfg_attr(all(test, standpipe_loom), path = "loom/channel.rs")]
mod channel;
mod clocks;
mod driver;
mod end;
mod fault;
mod frames;
mod goaway;
mod io;
mod meta;
mod silence;
mod timer;
mod traffic;
mod wake;

#[cfg(all(test, standpipe_loom))]
pub(crate) use channel::Wire;

pub(crate) use channel::{Channel, SendResult};
pub(crate) use clocks::{Alarm, Set};
pub(crate) use driver::{DialGuard, Driver};
pub(crate) use fault::Fault;
pub(crate) use io::{BoxIo, PooledIo, Stream};
pub(crate) use meta::ConnMeta;
