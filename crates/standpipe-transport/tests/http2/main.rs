//! HTTP/2 against a server that is played frame by frame.

mod breaches;
mod cancels;
mod floods;
mod flow;
mod goaway;
mod limits;
mod liveness;
#[path = "../support/polls.rs"]
mod polls;
mod resets;
mod rules;
#[path = "../support/scripted.rs"]
mod scripted;
mod sides;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/wire.rs"]
mod wire;
