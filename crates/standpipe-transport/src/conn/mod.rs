//! One connection: its IO, what is known of it, the handle for requests and the task that drives it.

mod channel;
mod driver;
mod end;
mod io;
mod meta;

pub(crate) use channel::{Channel, SendResult};
pub(crate) use driver::{DialGuard, Driver};
pub(crate) use io::{BoxIo, PooledIo, Stream};
pub(crate) use meta::{ConnMeta, Fault};
