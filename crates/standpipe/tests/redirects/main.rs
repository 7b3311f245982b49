//! Redirects: the layer over a router, and as a pool follows them.

mod layer;
mod pool;

#[path = "../support/mod.rs"]
mod support;
