//! The end of a transport, and of single connections by the user's order.

mod after;
mod at_once;
mod evict;
mod grace;
#[path = "../support/mod.rs"]
mod support;
mod warm;
