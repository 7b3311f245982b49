use std::collections::VecDeque;
use std::time::Duration;

use standpipe_core::Deadline;
use tokio::time::Instant;

use super::Refusal;
use super::probes::Probes;
use super::reset::ResetPeriods;
use super::window::Sliding;
use super::word::Word;
use crate::{Cause, CircuitBreakerConfig, State, Transition, Trip};

/// What of the machine is under its lock.
#[derive(Debug)]
pub(super) struct Rest {
    /// While open: until when, or None while held open by hand.
    pub(super) until: Option<Instant>,
    pub(super) reset: ResetPeriods,
    pub(super) probes: Probes,
    pub(super) window: Option<Sliding>,
    /// Failures in a row of calls whose head was a success, in this period.
    pub(super) late_row: u32,
    /// What listeners were not told yet, and whether somebody is about it.
    pub(super) untold: VecDeque<Transition>,
    pub(super) telling: bool,
}

impl Rest {
    pub(super) fn new(config: &CircuitBreakerConfig) -> Self {
        Self {
            until: None,
            reset: ResetPeriods::new(config),
            probes: Probes::new(config),
            window: match config.trip {
                Trip::Consecutive { .. } => None,
                Trip::Window(window) => Some(Sliding::new(window)),
            },
            late_row: 0,
            untold: VecDeque::new(),
            telling: false,
        }
    }

    pub(super) fn refusal(&self, state: State, now: Instant) -> Option<Refusal> {
        match state {
            State::Closed => None,
            State::Open => match self.until {
                None => Some(Refusal::without_time(state)),
                Some(until) => {
                    let left = until.saturating_duration_since(now);
                    (left > Duration::ZERO).then_some(Refusal {
                        state,
                        retry_after: Some(left),
                    })
                }
            },
            State::HalfOpen => {
                let full = self.probes.refuses(now);
                full.then_some(Refusal::without_time(state))
            }
        }
    }

    pub(super) fn stay_open(&mut self, asked: Option<Duration>, now: Instant) -> Duration {
        let open_for = self.reset.next(asked);
        self.until = Some(Deadline::after_instant(now, open_for).instant());
        open_for
    }

    /// Nothing is known of the service: no failures, no growth of the reset period.
    pub(super) fn cool(&mut self) {
        self.reset.restart();
        self.late_row = 0;
        if let Some(window) = &mut self.window {
            window.clear();
        }
    }

    pub(super) fn tell(
        &mut self,
        before: Word,
        after: Word,
        cause: Cause,
        open_for: Option<Duration>,
    ) {
        let (from, to) = (before.state(), after.state());
        if from != to {
            self.untold.push_back(Transition {
                from,
                to,
                cause,
                open_for,
                generation: after.generation(),
            });
        }
    }
}
