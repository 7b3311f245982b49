//! The bytes of a connection, counted, and what is concluded from them.

use std::time::Duration;

use standpipe_core::sync::atomic::{AtomicU64, Ordering};

use super::silence::Silence;

/// What stands for "not suspect" in place of a count of bytes.
const TRUSTED: u64 = u64::MAX;

/// How many bytes came and went, and the marks that are set against those counts.
#[derive(Debug)]
pub(crate) struct Traffic {
    read: AtomicU64,
    /// At how many bytes read the wait for a head of HTTP/1.1 is given up.
    head_limit: AtomicU64,
    written: AtomicU64,
    /// How many bytes had been read when the connection became suspect.
    suspect: AtomicU64,
    /// Where PINGs are sent.
    silence: Option<Silence>,
}

impl Traffic {
    pub(super) fn new() -> Self {
        Self {
            read: AtomicU64::new(0),
            head_limit: AtomicU64::new(u64::MAX),
            written: AtomicU64::new(0),
            suspect: AtomicU64::new(TRUSTED),
            silence: None,
        }
    }

    /// PINGs are sent at this interval: a peer that has not been heard for longer is suspect.
    pub(super) fn pinged(&mut self, interval: Option<Duration>) {
        self.silence = interval.map(Silence::new);
    }

    pub(crate) fn silence(&self) -> Option<&Silence> {
        self.silence.as_ref()
    }

    /// Returns how many it has been in all.
    pub(crate) fn count_read(&self, bytes: usize) -> u64 {
        self.end_silence();
        // An exchange with `set_suspect`; see there.
        self.read.fetch_add(bytes as u64, Ordering::AcqRel) + bytes as u64
    }

    /// The head that is waited for from now on, and all informational answers before it, may take
    /// up `bytes`.
    pub(crate) fn begin_head(&self, bytes: u64) {
        let limit = self.bytes_read().saturating_add(bytes);
        self.head_limit.store(limit, Ordering::Relaxed);
    }

    /// The head is there: what follows it may be of any length.
    pub(crate) fn end_head(&self) {
        self.head_limit.store(u64::MAX, Ordering::Relaxed);
    }

    /// Whether a head is waited for that takes up too many bytes.
    pub(crate) fn is_over_head_limit(&self, read: u64) -> bool {
        read > self.head_limit.load(Ordering::Relaxed)
    }

    pub(crate) fn count_written(&self, bytes: usize) {
        if let Some(silence) = &self.silence {
            silence.ask();
        }
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The peer was heard, or is asked only from now on.
    pub(crate) fn end_silence(&self) {
        if let Some(silence) = &self.silence {
            silence.end();
        }
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes_written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// The driver shall say when bytes arrive.
    pub(crate) fn set_suspect(&self) {
        self.suspect.store(self.bytes_read(), Ordering::Relaxed);
        // An exchange with `count_read`: either the driver, which counts bytes and then asks, finds
        // the mark, or whoever set it sees the bytes from here on.
        self.read.fetch_add(0, Ordering::AcqRel);
    }

    /// Whether the driver waits for bytes.
    pub(crate) fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::Relaxed) != TRUSTED
    }

    /// Whether bytes have arrived since it became suspect; true once.
    pub(crate) fn take_suspect(&self) -> bool {
        let mark = self.suspect.load(Ordering::Relaxed);
        mark != TRUSTED
            && mark != self.bytes_read()
            && self.suspect.swap(TRUSTED, Ordering::Relaxed) != TRUSTED
    }
}
