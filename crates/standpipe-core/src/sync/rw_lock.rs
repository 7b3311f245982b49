use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;

use super::depth::Depth;

#[cfg(standpipe_loom)]
use loom::sync as imp;
#[cfg(not(standpipe_loom))]
use std::sync as imp;

/// A lock for many readers or one writer that ignores poisoning.
///
/// It is a leaf: it may be taken under a [`Mutex`](super::Mutex) whose owner says so, and nothing is
/// taken under it.
#[derive(Debug, Default)]
pub struct RwLock<T>(imp::RwLock<T>);

/// The guard of a reader of a [`RwLock`].
#[derive(Debug)]
#[must_use = "the lock is released at once when its guard is not kept"]
pub struct RwLockReadGuard<'a, T> {
    guard: imp::RwLockReadGuard<'a, T>,
    _depth: Depth,
}

/// The guard of the writer of a [`RwLock`].
#[derive(Debug)]
#[must_use = "the lock is released at once when its guard is not kept"]
pub struct RwLockWriteGuard<'a, T> {
    guard: imp::RwLockWriteGuard<'a, T>,
    _depth: Depth,
}

impl<T> RwLock<T> {
    /// Makes a lock around `value`.
    pub fn new(value: T) -> Self {
        Self(imp::RwLock::new(value))
    }

    /// Shares the lock, waiting for its writer.
    ///
    /// # Panics
    ///
    /// In a debug build, when this thread holds a leaf already.
    #[inline]
    #[track_caller]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        let depth = Depth::leaf();
        RwLockReadGuard {
            guard: self.0.read().unwrap_or_else(PoisonError::into_inner),
            _depth: depth,
        }
    }

    /// Takes the lock alone, waiting for all its holders.
    ///
    /// # Panics
    ///
    /// In a debug build, when this thread holds a leaf already.
    #[inline]
    #[track_caller]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        let depth = Depth::leaf();
        RwLockWriteGuard {
            guard: self.0.write().unwrap_or_else(PoisonError::into_inner),
            _depth: depth,
        }
    }
}

impl<T> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
