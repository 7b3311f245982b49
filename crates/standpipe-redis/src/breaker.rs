//! Whether Redis is asked at all: a dead one must not cost every request its timeout.

use std::time::Duration;

use tokio::time::Instant;

/// As many requests in a row may time out before Redis is taken for lost.
const TIMEOUTS: u32 = 3;

#[derive(Debug, Default)]
pub(crate) struct Breaker {
    timeouts: u32,
    lost: Option<Lost>,
}

#[derive(Debug)]
struct Lost {
    since: Instant,
    /// When one request is to try again. Whoever does moves it on first, so that one that never
    /// comes back keeps nobody else from trying.
    probe_at: Instant,
}

/// Why a request to Redis failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It did not answer in time.
    Slow,
    /// It refused, or is not there.
    Gone,
}

impl Breaker {
    /// Whether to ask Redis; else how long it is until somebody tries again.
    pub(crate) fn admit(&mut self, now: Instant, probe_every: Duration) -> Result<(), Duration> {
        let Some(lost) = &mut self.lost else {
            return Ok(());
        };
        if now < lost.probe_at {
            return Err(lost.probe_at - now);
        }
        lost.probe_at = after(now, probe_every);
        Ok(())
    }

    /// Redis answered; how long it was away, if it was.
    pub(crate) fn answered(&mut self, now: Instant) -> Option<Duration> {
        self.timeouts = 0;
        let lost = self.lost.take()?;
        Some(now.saturating_duration_since(lost.since))
    }

    /// A request failed; whether Redis is lost by that.
    pub(crate) fn failed(&mut self, now: Instant, fault: Fault, probe_every: Duration) -> bool {
        self.timeouts += 1;
        if self.lost.is_some() || (fault == Fault::Slow && self.timeouts < TIMEOUTS) {
            return false;
        }
        self.lost = Some(Lost {
            since: now,
            probe_at: after(now, probe_every),
        });
        true
    }
}

fn after(now: Instant, time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    now + time.min(FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// RL-09
    #[tokio::test(start_paused = true)]
    async fn one_request_a_second_probes_a_lost_redis() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        assert_eq!(breaker.admit(now, SECOND), Ok(()));
        assert!(breaker.failed(now, Fault::Gone, SECOND));
        assert!(!breaker.failed(now, Fault::Gone, SECOND), "told once");
        assert_eq!(breaker.admit(now, SECOND), Err(SECOND));
        let later = now + SECOND;
        assert_eq!(breaker.admit(later, SECOND), Ok(()), "the probe");
        assert_eq!(breaker.admit(later, SECOND), Err(SECOND), "one at a time");
        // The probe was dropped: the next one comes a second later.
        assert_eq!(breaker.admit(later + SECOND, SECOND), Ok(()));
        assert_eq!(breaker.answered(later + SECOND), Some(2 * SECOND));
        assert_eq!(breaker.admit(later + SECOND, SECOND), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn three_timeouts_in_a_row_lose_it_and_two_do_not() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..2 {
            assert!(!breaker.failed(now, Fault::Slow, SECOND));
            assert!(!breaker.failed(now, Fault::Slow, Duration::MAX));
            assert_eq!(breaker.answered(now), None);
        }
        for lost in [false, false, true] {
            assert_eq!(breaker.failed(now, Fault::Slow, Duration::MAX), lost);
        }
        assert!(breaker.admit(now + SECOND, SECOND).is_err());
    }
}
