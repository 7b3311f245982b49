//! What is kept for one host.

mod handle;
mod recorder;
mod shared;

pub(crate) use handle::{Handle, Host, Owner};
pub use recorder::HostRecorder;
pub(crate) use shared::Shared;
