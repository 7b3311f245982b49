//! Why a connection ends, and whether it ever counted as one.

use std::sync::Arc;

use standpipe_core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::ConnMeta;
use crate::events::CloseReason;
use crate::pool::Link;

const UNKNOWN: u8 = u8::MAX;

/// The first reason that somebody gives stays.
#[derive(Debug)]
pub(crate) struct EndMark {
    reason: AtomicU8,
    published: AtomicBool,
    let_go: AtomicBool,
}

impl EndMark {
    pub(super) fn new() -> Self {
        Self {
            reason: AtomicU8::new(UNKNOWN),
            published: AtomicBool::new(false),
            let_go: AtomicBool::new(false),
        }
    }

    pub(crate) fn note(&self, reason: CloseReason) {
        let order = (Ordering::AcqRel, Ordering::Relaxed);
        // Whoever came first knows the cause; what follows from it is no news.
        let _ = self
            .reason
            .compare_exchange(UNKNOWN, reason as u8, order.0, order.1);
    }

    pub(crate) fn reason(&self) -> Option<CloseReason> {
        let reason = self.reason.load(Ordering::Acquire);
        CloseReason::ALL.get(usize::from(reason)).copied()
    }

    pub(crate) fn is_published(&self) -> bool {
        self.published.load(Ordering::Acquire)
    }

    pub(crate) fn set_published(&self) {
        self.published.store(true, Ordering::Release);
    }
}

impl Link for Arc<ConnMeta> {
    fn id(&self) -> u64 {
        ConnMeta::id(self)
    }

    fn retire(&self) {
        ConnMeta::retire(self);
    }

    fn is_retired(&self) -> bool {
        ConnMeta::is_spent(self)
    }

    fn note_end(&self, reason: CloseReason) {
        self.end.note(reason);
    }

    fn let_go(&self) {
        self.end.let_go.store(true, Ordering::Relaxed);
    }

    fn is_let_go(&self) -> bool {
        self.end.let_go.load(Ordering::Relaxed) || self.is_closing()
    }

    fn end_reason(&self) -> CloseReason {
        self.end.reason().unwrap_or(CloseReason::Peer)
    }

    fn is_gone(&self) -> bool {
        self.is_permit_gone()
    }
}
