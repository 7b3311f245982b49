//! One connection: its IO, what is known of it, the handle for requests and the task that drives it.

mod channel;
mod clocks;
mod driver;
mod io;
mod meta;
mod timer;
mod wake;

pub(crate) use channel::{Channel, SendResult};
pub(crate) use clocks::{Alarm, Set};
pub(crate) use driver::{DialGuard, Driver};
pub(crate) use io::{BoxIo, PooledIo, Stream};
pub(crate) use meta::{ConnMeta, Fault};
