//! Stale connections, as far as the transport acts on them: what it sends again by itself, and what it
//! tells the layer above, which may.

mod resent;
#[path = "../support/scripted.rs"]
mod scripted;
#[path = "../support/mod.rs"]
mod support;
mod told;
#[path = "../support/wire.rs"]
mod wire;
