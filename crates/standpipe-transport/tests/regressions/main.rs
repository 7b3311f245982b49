//! Bugs of other clients and pools, each real: none of them here.

mod http1;
mod http2;
mod pools;
#[path = "../support/scripted.rs"]
mod scripted;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/wire.rs"]
mod wire;
