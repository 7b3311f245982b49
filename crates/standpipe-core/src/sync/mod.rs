//! The mutexes and atomics of the state machines, through one door.
//!
//! Every crate of the workspace takes its synchronisation from here, so that a build with
//! `--cfg standpipe_loom` runs the very code that ships under [loom], which explores all the
//! interleavings. The cfg is our own because tokio reads `--cfg loom` too.
//!
//! No lock is taken under another: in debug builds and under loom a [`Mutex`] that is locked by a
//! thread which holds one already panics, so each test that runs the code shows it. A release
//! build neither counts nor asks.
//!
//! [loom]: https://docs.rs/loom
//!
//! This module is for the crates of this workspace and is no part of the stable interface.

mod depth;
#[cfg(all(test, standpipe_loom))]
mod loom;
mod mutex;
mod rw_lock;
#[cfg(all(test, not(standpipe_loom)))]
mod tests;

pub use mutex::{Mutex, MutexGuard};
pub use rw_lock::{RwLock, RwLockReadGuard, RwLockWriteGuard};

#[cfg(not(standpipe_loom))]
pub use std::sync::{Arc, atomic};

#[cfg(standpipe_loom)]
pub use ::loom::sync::{Arc, atomic};
