//! How calls end.

use std::time::Duration;

use standpipe_core::Outcome;
use standpipe_core::sync::MutexGuard;
use tokio::time::Instant;

use super::probes::Lease;
use super::rest::Rest;
use super::window::Sample;
use super::word::Word;
use super::{End, Machine, Permit, Recorded};
use crate::{Cause, State};

impl Machine {
    /// Takes in the success of a call of a closed breaker that counts failures in a row, without
    /// the lock and, when none has failed since the last success, without a write. None where
    /// [`record`](Self::record) has to.
    #[inline]
    pub(crate) fn record_success(&self, permit: &Permit) -> Option<Recorded> {
        if self.threshold.is_none() || permit.lease.is_some() {
            return None;
        }
        let word = self.word();
        if word.generation() != permit.generation {
            return Some(Recorded::Late);
        }
        if word.failures() > 0 {
            return Some(self.end_row(permit, word));
        }
        Some(Recorded::As(Outcome::Success))
    }

    /// The first success after failures.
    #[cold]
    fn end_row(&self, permit: &Permit, mut word: Word) -> Recorded {
        while word.generation() == permit.generation {
            match self.swap(word, word.with_failures(0)) {
                Ok(()) => return Recorded::As(Outcome::Success),
                Err(other) => word = other,
            }
        }
        Recorded::Late
    }

    /// Takes in how a call ended.
    pub(crate) fn record(&self, permit: &Permit, end: End, now: Instant) -> Recorded {
        let outcome = self.outcome(permit, end, now);
        let asked = match end {
            End::Judged { retry_after, .. } => retry_after,
            End::Dropped | End::Panicked => None,
        };
        if let Some(lease) = permit.lease {
            return self.record_probe(permit, lease, outcome, asked, now);
        }
        match (self.threshold, outcome) {
            (_, Outcome::Ignored) => self.record_nothing(permit),
            (Some(threshold), Outcome::Failure) => {
                self.record_failure(permit, threshold, asked, now)
            }
            (Some(_), Outcome::Success) => {
                let recorded = self.record_success(permit);
                recorded.unwrap_or(Recorded::Late)
            }
            (None, outcome) => self.record_sample(permit, outcome, asked, now),
        }
    }

    fn record_nothing(&self, permit: &Permit) -> Recorded {
        if self.word().generation() == permit.generation {
            Recorded::As(Outcome::Ignored)
        } else {
            Recorded::Late
        }
    }

    /// Closed => Closed or Open, by failures in a row.
    fn record_failure(
        &self,
        permit: &Permit,
        threshold: u32,
        asked: Option<Duration>,
        now: Instant,
    ) -> Recorded {
        let failed = Recorded::As(Outcome::Failure);
        let mut lock: Option<MutexGuard<'_, Rest>> = None;
        let mut word = self.word();
        loop {
            if word.generation() != permit.generation {
                return Recorded::Late;
            }
            if word.is_held() {
                return failed;
            }
            if word.failures() + 1 < threshold {
                match self.swap(word, word.with_failures(word.failures() + 1)) {
                    Ok(()) => return failed,
                    Err(other) => word = other,
                }
                continue;
            }
            // The lock first: whoever sees the breaker open waits for the instant under it. What
            // was read before it may be old by now; the failures may be fewer even with it, as a
            // success takes no lock.
            let Some(rest) = &mut lock else {
                lock = Some(self.rest.lock());
                word = self.word();
                continue;
            };
            let open = word.after(State::Open, false);
            match self.swap(word, open) {
                Ok(()) => {
                    let open_for = rest.stay_open(asked, now);
                    rest.tell(word, open, Cause::ConsecutiveFailures, Some(open_for));
                    return failed;
                }
                Err(other) => word = other,
            }
        }
    }

    /// Closed => Closed or Open, by a window.
    fn record_sample(
        &self,
        permit: &Permit,
        outcome: Outcome,
        asked: Option<Duration>,
        now: Instant,
    ) -> Recorded {
        let mut rest = self.rest.lock();
        let word = self.word();
        if word.generation() != permit.generation {
            return Recorded::Late;
        }
        let sample = Sample {
            failed: outcome == Outcome::Failure,
            slow: self.is_slow(permit, now),
        };
        if !word.is_held()
            && let Some(window) = &mut rest.window
            && let Some(cause) = window.record(sample, now)
        {
            self.open(&mut rest, cause, asked, now);
        }
        Recorded::As(outcome)
    }

    /// HalfOpen => HalfOpen, Closed or Open.
    fn record_probe(
        &self,
        permit: &Permit,
        lease: Lease,
        outcome: Outcome,
        asked: Option<Duration>,
        now: Instant,
    ) -> Recorded {
        let mut rest = self.rest.lock();
        if self.word().generation() != permit.generation || !rest.probes.give_back(lease) {
            return Recorded::Late;
        }
        match outcome {
            Outcome::Ignored => {}
            Outcome::Success if !self.is_slow(permit, now) => {
                if rest.probes.succeed() {
                    rest.cool();
                    self.change(
                        &mut rest,
                        State::Closed,
                        false,
                        Cause::ProbesSucceeded,
                        None,
                    );
                }
            }
            Outcome::Success | Outcome::Failure => {
                self.open(&mut rest, Cause::ProbeFailed, asked, now);
            }
        }
        Recorded::As(outcome)
    }

    fn outcome(&self, permit: &Permit, end: End, now: Instant) -> Outcome {
        match end {
            End::Judged { outcome, .. } => outcome,
            End::Panicked => Outcome::Failure,
            End::Dropped => match (self.dropped_after, permit.began) {
                (Some(after), Some(began)) if now.saturating_duration_since(began) >= after => {
                    Outcome::Failure
                }
                _ => Outcome::Ignored,
            },
        }
    }

    fn is_slow(&self, permit: &Permit, now: Instant) -> bool {
        match (self.slow_calls, permit.began) {
            (Some(slow), Some(began)) => now.saturating_duration_since(began) >= slow.slow_after,
            _ => false,
        }
    }
}
