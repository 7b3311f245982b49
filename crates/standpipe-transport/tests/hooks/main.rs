//! The hook for what happens in the pool, and the figures that go with it.

mod hostile;
mod reasons;
mod recorder;
mod sequence;
#[path = "../support/mod.rs"]
mod support;
