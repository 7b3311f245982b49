//! The mutexes and atomics of the state machines, through one door.
//!
//! Every crate of the workspace takes its synchronisation from here, so that a build with
//! `--cfg standpipe_loom` runs the very code that ships under [loom], which explores all the
//! interleavings. The cfg is our own because tokio reads `--cfg loom` too.
//!
//! [loom]: https://docs.rs/loom
//!
//! This module is for the crates of this workspace and is no part of the stable interface.

#[cfg(not(standpipe_loom))]
mod imp {
    pub use std::sync::Arc;
    pub use std::sync::atomic;

    #[expect(
        clippy::disallowed_types,
        reason = "the one place that may name the standard mutex"
    )]
    type Inner<T> = std::sync::Mutex<T>;

    /// A mutual exclusion lock that ignores poisoning.
    ///
    /// A critical section of ours runs no code of a user, so a panic inside one cannot leave a
    /// state half changed by foreign hands; the next holder goes on.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(Inner<T>);

    /// The guard of a [`Mutex`].
    pub type MutexGuard<'a, T> = std::sync::MutexGuard<'a, T>;

    impl<T> Mutex<T> {
        /// Makes a lock around `value`.
        pub const fn new(value: T) -> Self {
            Self(Inner::new(value))
        }

        /// Takes the lock, waiting for its holder.
        #[inline]
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        }

        /// The value, when the lock is not shared.
        pub fn get_mut(&mut self) -> &mut T {
            self.0
                .get_mut()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}

#[cfg(standpipe_loom)]
mod imp {
    pub use loom::sync::Arc;
    pub use loom::sync::atomic;

    /// loom's lock under the same interface.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    /// The guard of a [`Mutex`].
    pub type MutexGuard<'a, T> = loom::sync::MutexGuard<'a, T>;

    impl<T> Mutex<T> {
        /// Makes a lock around `value`.
        pub fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        /// Takes the lock, waiting for its holder.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        }

        /// The value, when the lock is not shared.
        pub fn get_mut(&mut self) -> &mut T {
            self.0
                .get_mut()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}

pub use imp::*;
