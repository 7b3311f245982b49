//! The rules, one a file.

pub(super) mod backpressure;
pub(super) mod cancel;
pub(super) mod clones;
pub(super) mod errors;
pub(super) mod panics;
pub(super) mod readiness;
pub(super) mod unused;
