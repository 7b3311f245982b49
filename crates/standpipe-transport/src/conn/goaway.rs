//! What a peer of HTTP/2 says when it goes away.

use standpipe_core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The GOAWAYs of a connection, and the streams that went out.
#[derive(Debug)]
pub(crate) struct GoAway {
    /// The peer has sent one.
    going_away: AtomicBool,
    /// The last stream that it means to process, by the last of its GOAWAYs.
    last_stream: AtomicU64,
    /// The highest stream whose head went out.
    opened_stream: AtomicU64,
}

impl GoAway {
    pub(super) fn new() -> Self {
        Self {
            going_away: AtomicBool::new(false),
            last_stream: AtomicU64::new(u64::MAX),
            opened_stream: AtomicU64::new(0),
        }
    }

    /// The peer has sent one.
    pub(super) fn set(&self) {
        self.going_away.store(true, Ordering::Release);
    }

    /// Whether it has; true once.
    pub(crate) fn take(&self) -> bool {
        self.going_away.load(Ordering::Relaxed) && self.going_away.swap(false, Ordering::Acquire)
    }

    /// The peer goes away after this stream. A later GOAWAY may tell an earlier one.
    pub(crate) fn set_last_stream(&self, stream: u32) {
        self.last_stream
            .fetch_min(u64::from(stream), Ordering::Relaxed);
    }

    /// The head of this stream went out.
    pub(crate) fn set_opened_stream(&self, stream: u32) {
        self.opened_stream
            .fetch_max(u64::from(stream), Ordering::Relaxed);
    }

    /// Whether a stream that ended with the error of the peer's GOAWAY is surely beyond the last one that
    /// the peer means to process.
    ///
    /// hyper gives that error to those, and besides to one that it was about to begin when the GOAWAY came:
    /// the last one that it began, whose head may have gone out, and which a server that ends in good
    /// order may process. Where a higher stream than the last has gone out, that one is beyond it too.
    pub(crate) fn is_beyond_last_stream(&self) -> bool {
        self.last_stream.load(Ordering::Relaxed) < self.opened_stream.load(Ordering::Relaxed)
    }
}
