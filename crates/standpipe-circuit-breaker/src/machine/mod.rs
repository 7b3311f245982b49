//! The state machine: no clock, no task, no user's code. Time is passed in.
//!
//! One atomic [`Word`] says all that a call needs while the breaker is closed; the rest is under a
//! short lock, under which alone the state and the period change. Each period has a number, and a
//! result is taken in only during the period in which its call was admitted.

#[cfg(all(test, standpipe_loom))]
mod loom;
#[cfg(all(test, not(standpipe_loom)))]
mod model;
mod probes;
mod reset;
#[cfg(all(test, not(standpipe_loom)))]
mod tests;
mod window;
mod word;

use std::collections::VecDeque;
use std::time::Duration;

use standpipe_core::sync::atomic::{AtomicU64, Ordering};
use standpipe_core::sync::{Mutex, MutexGuard};
use standpipe_core::{Deadline, Outcome};
use tokio::time::Instant;

use crate::{Cause, CircuitBreakerConfig, SlowCalls, State, Transition, Trip};
use probes::{Lease, Probes};
use reset::ResetPeriods;
use window::{Sample, Sliding};
use word::Word;

#[derive(Debug)]
pub(crate) struct Machine {
    word: AtomicU64,
    /// None with a window, which takes the lock for each result.
    threshold: Option<u32>,
    slow_calls: Option<SlowCalls>,
    dropped_after: Option<Duration>,
    rest: Mutex<Rest>,
}

#[derive(Debug)]
struct Rest {
    /// While open: until when, or None while held open by hand.
    until: Option<Instant>,
    reset: ResetPeriods,
    probes: Probes,
    window: Option<Sliding>,
    /// What listeners were not told yet, and whether somebody is about it.
    untold: VecDeque<Transition>,
    telling: bool,
}

/// The right to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Permit {
    generation: u64,
    lease: Option<Lease>,
    /// When the call began, where that matters.
    pub(crate) began: Option<Instant>,
}

/// Why a call was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) state: State,
    /// None where nobody knows: held open by hand, or all probes are under way.
    pub(crate) retry_after: Option<Duration>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Judged {
        outcome: Outcome,
        /// What the server asked for.
        retry_after: Option<Duration>,
    },
    Dropped,
    Panicked,
}

/// What a result was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    As(Outcome),
    /// The period of its call is over, or its place as a probe went to another.
    Late,
}

impl Machine {
    pub(crate) fn new(config: &CircuitBreakerConfig) -> Self {
        let (threshold, window) = match config.trip {
            Trip::Consecutive { threshold } => (Some(threshold), None),
            Trip::Window(window) => (None, Some(Sliding::new(window))),
        };
        Self {
            word: AtomicU64::new(Word::new(State::Closed, false, 0).bits()),
            threshold,
            slow_calls: config.slow_calls(),
            dropped_after: config.dropped_after,
            rest: Mutex::new(Rest {
                until: None,
                reset: ResetPeriods::new(config),
                probes: Probes::new(config),
                window,
                untold: VecDeque::new(),
                telling: false,
            }),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.word().state()
    }

    pub(crate) fn is_held(&self) -> bool {
        self.word().is_held()
    }

    /// Admits a call while the breaker is closed: one atomic read.
    #[inline]
    pub(crate) fn admit_closed(&self) -> Option<Permit> {
        let word = self.word();
        (word.state() == State::Closed).then(|| Permit::of(word, None))
    }

    /// Admits a call, as a probe where it must be one. Open => HalfOpen when the time has come.
    pub(crate) fn admit(&self, now: Instant) -> Result<Permit, Refusal> {
        let mut rest = self.rest.lock();
        let mut word = self.word();
        if word.state() == State::Closed {
            return Ok(Permit::of(word, None));
        }
        if let Some(refusal) = rest.refusal(word.state(), now) {
            return Err(refusal);
        }
        if word.state() == State::Open {
            rest.probes.restart();
            word = self.change(
                &mut rest,
                State::HalfOpen,
                false,
                Cause::ResetPeriodOver,
                None,
            );
        }
        match rest.probes.lease(now) {
            Some(lease) => Ok(Permit::of(word, Some(lease))),
            None => Err(Refusal::without_time(State::HalfOpen)),
        }
    }

    /// Why [`admit`](Self::admit) would refuse now.
    pub(crate) fn refusal(&self, now: Instant) -> Option<Refusal> {
        let rest = self.rest.lock();
        rest.refusal(self.word().state(), now)
    }

    /// Takes in the success of a call of a closed breaker that counts failures in a row, without
    /// the lock and, when none has failed since the last success, without a write. None where
    /// [`record`](Self::record) has to.
    #[inline]
    pub(crate) fn record_success(&self, permit: &Permit) -> Option<Recorded> {
        if self.threshold.is_none() || permit.lease.is_some() {
            return None;
        }
        let mut word = self.word();
        loop {
            if word.generation() != permit.generation {
                return Some(Recorded::Late);
            }
            if word.failures() == 0 {
                return Some(Recorded::As(Outcome::Success));
            }
            if let Err(other) = self.swap(word, word.with_failures(0)) {
                word = other;
            }
        }
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

    /// Any state => Open or Closed, until [`release`](Self::release); the results of the calls
    /// under way mean nothing any more.
    pub(crate) fn hold(&self, state: State) {
        let mut rest = self.rest.lock();
        rest.cool();
        rest.until = None;
        self.change(&mut rest, state, true, Cause::ByHand, None);
    }

    /// Any state => Closed, as new.
    pub(crate) fn release(&self) {
        let mut rest = self.rest.lock();
        rest.cool();
        self.change(&mut rest, State::Closed, false, Cause::ByHand, None);
    }

    /// Whether the caller is to tell the listeners: one at a time does, so that they hear of the
    /// transitions in order. It then calls [`next_untold`](Self::next_untold) until there is none.
    pub(crate) fn begin_telling(&self) -> bool {
        let mut rest = self.rest.lock();
        let begins = !rest.telling && !rest.untold.is_empty();
        rest.telling |= begins;
        begins
    }

    pub(crate) fn next_untold(&self) -> Option<Transition> {
        let mut rest = self.rest.lock();
        let next = rest.untold.pop_front();
        rest.telling = next.is_some();
        next
    }

    /// The one that told could not go on.
    pub(crate) fn break_off_telling(&self) {
        self.rest.lock().telling = false;
    }

    fn open(&self, rest: &mut Rest, cause: Cause, asked: Option<Duration>, now: Instant) {
        let open_for = rest.stay_open(asked, now);
        self.change(rest, State::Open, false, cause, Some(open_for));
    }

    /// Begins a period. Failures that are counted meanwhile are of the one before.
    fn change(
        &self,
        rest: &mut Rest,
        to: State,
        held: bool,
        cause: Cause,
        open_for: Option<Duration>,
    ) -> Word {
        let after = self.word().after(to, held);
        let before = Word::from_bits(self.word.swap(after.bits(), Ordering::AcqRel));
        rest.tell(before, after, cause, open_for);
        after
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

    #[inline]
    fn word(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    fn swap(&self, from: Word, to: Word) -> Result<(), Word> {
        let (from, to) = (from.bits(), to.bits());
        match self
            .word
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => Ok(()),
            Err(other) => Err(Word::from_bits(other)),
        }
    }
}

impl Rest {
    fn refusal(&self, state: State, now: Instant) -> Option<Refusal> {
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

    fn stay_open(&mut self, asked: Option<Duration>, now: Instant) -> Duration {
        let open_for = self.reset.next(asked);
        self.until = Some(Deadline::after_instant(now, open_for).instant());
        open_for
    }

    /// Nothing is known of the service: no failures, no growth of the reset period.
    fn cool(&mut self) {
        self.reset.restart();
        if let Some(window) = &mut self.window {
            window.clear();
        }
    }

    fn tell(&mut self, before: Word, after: Word, cause: Cause, open_for: Option<Duration>) {
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

impl Permit {
    fn of(word: Word, lease: Option<Lease>) -> Self {
        Self {
            generation: word.generation(),
            lease,
            began: None,
        }
    }
}

impl Refusal {
    /// For one who need not wait any more.
    pub(crate) fn over(state: State) -> Self {
        Self {
            state,
            retry_after: Some(Duration::ZERO),
        }
    }

    fn without_time(state: State) -> Self {
        Self {
            state,
            retry_after: None,
        }
    }
}
