//! Why a connection ended, for the errors of those who used it.

use standpipe_core::sync::atomic::{AtomicU8, Ordering};

/// Why a connection ended, where it is us who know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    /// Nothing that we know of.
    None = 0,
    /// The peer took no bytes for too long.
    WriteTimeout = 1,
    /// The transport was shut down, and the grace is over.
    Shutdown = 2,
    /// The peer sent ever more informational answers.
    EndlessHead = 3,
}

/// The [`Fault`] of a connection, none at first.
#[derive(Debug)]
pub(crate) struct FaultMark(AtomicU8);

impl FaultMark {
    pub(crate) fn set(&self, fault: Fault) {
        self.0.store(fault as u8, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Fault {
        let fault = self.0.load(Ordering::Relaxed);
        let known = [Fault::WriteTimeout, Fault::Shutdown, Fault::EndlessHead];
        let found = known.into_iter().find(|known| *known as u8 == fault);
        found.unwrap_or(Fault::None)
    }
}

impl Default for FaultMark {
    fn default() -> Self {
        Self(AtomicU8::new(Fault::None as u8))
    }
}
