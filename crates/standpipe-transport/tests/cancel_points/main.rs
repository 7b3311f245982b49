//! Requests dropped at every point of their lives: nothing is lost, nothing is left behind.

mod dials;
mod points;
mod races;
mod random;
#[path = "../support/scripted.rs"]
mod scripted;
#[path = "../support/mod.rs"]
mod support;
mod sweep;
#[path = "../support/trickle.rs"]
mod trickle;
#[path = "../support/wire.rs"]
mod wire;
mod world;
