//! Redirects: the layer over a router, and as a pool follows them.

#[cfg(feature = "cookies")]
mod cookies;
mod layer;
mod pool;

#[path = "../support/mod.rs"]
mod support;
