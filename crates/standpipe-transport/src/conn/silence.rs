//! How long a peer that was written to has not been heard.

use std::time::Duration;

use standpipe_core::Deadline;
use standpipe_core::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// The clock of an HTTP/2 connection on which PINGs are sent: a peer that is alive answers those
/// within the interval and a little more, whatever its streams wait for.
#[derive(Debug)]
pub(crate) struct Silence {
    began: Instant,
    allowed: Duration,
    /// Milliseconds from `began` to the first write after the last read, and one; zero when nothing was
    /// written since.
    asked: AtomicU64,
}

impl Silence {
    pub(super) fn new(interval: Duration) -> Self {
        // The PING goes out at the interval's end and takes its time.
        let margin = interval / 20 + Duration::from_millis(250);
        Self {
            began: Instant::now(),
            allowed: interval.saturating_add(margin),
            asked: AtomicU64::new(0),
        }
    }

    /// Bytes went out.
    pub(super) fn ask(&self) {
        if self.asked.load(Ordering::Relaxed) == 0 {
            let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.asked
                .store(millis.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// Bytes came in, or what went out before asked for none.
    pub(super) fn end(&self) {
        self.asked.store(0, Ordering::Relaxed);
    }

    /// When the peer has been silent for too long, unless it is heard before; the latest time to ask
    /// again while nothing is expected of it.
    pub(super) fn until(&self) -> Instant {
        match self.asked.load(Ordering::Relaxed).checked_sub(1) {
            Some(asked) => {
                let asked = Deadline::after_instant(self.began, Duration::from_millis(asked));
                Deadline::after_instant(asked.instant(), self.allowed).instant()
            }
            None => Deadline::after(self.allowed).instant(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_counts_from_the_first_write_after_the_last_read() {
        let silence = Silence::new(15 * SECOND);
        let start = Instant::now();
        advance(SECOND).await;
        assert_eq!(silence.until(), start + 17 * SECOND, "nothing was asked");
        silence.ask();
        advance(SECOND).await;
        silence.ask();
        assert_eq!(silence.until(), start + 17 * SECOND);
        silence.end();
        advance(SECOND).await;
        silence.ask();
        assert_eq!(silence.until(), start + 19 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn no_interval_is_too_long() {
        let silence = Silence::new(Duration::MAX);
        silence.ask();
        assert!(silence.until() > Instant::now() + 1_000_000 * SECOND);
        Silence::new(Duration::ZERO).ask();
    }
}
