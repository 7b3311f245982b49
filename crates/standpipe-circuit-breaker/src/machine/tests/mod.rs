//! The machine alone, to the call and to the nanosecond.

mod probes;
mod reset;
mod window;

use std::time::Duration;

use standpipe_core::Outcome::{self, Failure, Ignored, Success};
use tokio::time::Instant;

use super::*;
use crate::Window;

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    machine: Machine,
    now: Instant,
}

impl Bench {
    fn new(config: &CircuitBreakerConfig) -> Self {
        config.check().unwrap();
        Self {
            machine: Machine::new(config),
            now: Instant::now(),
        }
    }

    fn begin(&self) -> Result<Permit, Refusal> {
        let permit = match self.machine.admit_closed() {
            Some(permit) => Ok(permit),
            None => self.machine.admit(self.now),
        };
        permit.map(|permit| Permit {
            began: Some(self.now),
            ..permit
        })
    }

    fn end(&self, permit: &Permit, outcome: Outcome) -> Recorded {
        let end = End::Judged {
            outcome,
            retry_after: None,
        };
        self.machine.record(permit, end, self.now)
    }

    /// A call that takes no time, and the state after it.
    fn call(&self, outcome: Outcome) -> State {
        let permit = self.begin().unwrap();
        self.end(&permit, outcome);
        self.machine.state()
    }

    fn calls(&self, outcomes: impl IntoIterator<Item = Outcome>) -> State {
        for outcome in outcomes {
            self.call(outcome);
        }
        self.machine.state()
    }

    fn slow_call(&mut self, took: Duration) -> State {
        let permit = self.begin().unwrap();
        self.now += took;
        self.end(&permit, Success);
        self.machine.state()
    }

    fn open_for(&self) -> Option<Duration> {
        self.machine
            .refusal(self.now)
            .and_then(|refusal| refusal.retry_after)
    }

    /// Waits for the reset period and sends a probe.
    fn probe(&mut self, outcome: Outcome) -> State {
        self.now += self.open_for().unwrap();
        self.call(outcome)
    }
}

fn exact() -> CircuitBreakerConfig {
    CircuitBreakerConfig::new().reset_jitter(0.0)
}

/// BRK-01
#[test]
fn it_opens_at_the_threshold_and_not_before() {
    let bench = Bench::new(&exact().threshold(5));
    assert_eq!(bench.calls([Failure; 4]), State::Closed);
    assert_eq!(bench.call(Failure), State::Open);
}

/// BRK-01
#[test]
fn a_success_begins_a_new_row_of_failures_and_an_ignored_call_does_not() {
    let bench = Bench::new(&exact().threshold(3));
    assert_eq!(bench.calls([Failure, Failure, Success]), State::Closed);
    assert_eq!(
        bench.calls([Failure, Ignored, Failure, Ignored]),
        State::Closed
    );
    assert_eq!(bench.call(Failure), State::Open);
}

#[test]
fn any_threshold_is_held_exactly() {
    for threshold in [1, 2, 3, 100_000] {
        let bench = Bench::new(&exact().threshold(threshold));
        let state = bench.calls((1..threshold).map(|_| Failure));
        assert_eq!(state, State::Closed);
        assert_eq!(bench.call(Failure), State::Open);
    }
}
