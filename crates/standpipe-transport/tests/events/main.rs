//! What a pool tells its hook, and counts.

mod closed;
mod entering;
mod panics;
mod reasons;
mod recorder;
#[path = "../support/mod.rs"]
mod support;
mod told;
