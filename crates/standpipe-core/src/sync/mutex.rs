use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;

use super::depth::Depth;

#[cfg(standpipe_loom)]
use loom::sync as imp;
#[cfg(not(standpipe_loom))]
use std::sync as imp;

#[cfg_attr(
    not(standpipe_loom),
    expect(
        clippy::disallowed_types,
        reason = "the one place that may name the standard mutex"
    )
)]
type Inner<T> = imp::Mutex<T>;

/// A mutual exclusion lock that ignores poisoning.
///
/// A critical section of ours runs no code of a user, so a panic inside one cannot leave a
/// state half changed by foreign hands; the next holder goes on.
#[derive(Debug, Default)]
pub struct Mutex<T>(Inner<T>);

/// The guard of a [`Mutex`].
#[derive(Debug)]
#[must_use = "the lock is released at once when its guard is not kept"]
pub struct MutexGuard<'a, T> {
    // First, so that the lock is released before it counts as released.
    guard: imp::MutexGuard<'a, T>,
    _depth: Depth,
}

impl<T> Mutex<T> {
    /// Makes a lock around `value`.
    #[cfg(not(standpipe_loom))]
    pub const fn new(value: T) -> Self {
        Self(Inner::new(value))
    }

    /// Makes a lock around `value`.
    #[cfg(standpipe_loom)]
    pub fn new(value: T) -> Self {
        Self(Inner::new(value))
    }

    /// Takes the lock, waiting for its holder.
    ///
    /// # Panics
    ///
    /// In a debug build, when this thread holds a lock already.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        let depth = Depth::mutex();
        MutexGuard {
            guard: self.0.lock().unwrap_or_else(PoisonError::into_inner),
            _depth: depth,
        }
    }

    /// The value, when the lock is not shared.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
