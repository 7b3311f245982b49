//! How calls end whose head was taken for a success before.

use standpipe_core::Outcome;
use tokio::time::Instant;

use super::window::Sample;
use super::{Machine, Permit, Recorded};
use crate::Cause;

impl Machine {
    /// Takes in how the rest of a call ended. The successes of heads end a row of failures, so the
    /// failures of rests have a row of their own.
    pub(crate) fn record_late(&self, permit: &Permit, outcome: Outcome, now: Instant) -> Recorded {
        let mut rest = self.rest.lock();
        let word = self.word();
        if word.generation() != permit.generation {
            return Recorded::Late;
        }
        match outcome {
            Outcome::Failure if !word.is_held() => {}
            Outcome::Success => {
                rest.late_row = 0;
                return Recorded::As(outcome);
            }
            Outcome::Failure | Outcome::Ignored => return Recorded::As(outcome),
        }
        let cause = match (self.threshold, &mut rest.window) {
            (None, Some(window)) => {
                let sample = Sample {
                    failed: true,
                    slow: false,
                };
                window.record(sample, now)
            }
            (threshold, _) => {
                rest.late_row += 1;
                let full = threshold.is_some_and(|threshold| rest.late_row >= threshold);
                full.then_some(Cause::ConsecutiveFailures)
            }
        };
        if let Some(cause) = cause {
            self.open(&mut rest, cause, None, now);
        }
        Recorded::As(outcome)
    }
}
