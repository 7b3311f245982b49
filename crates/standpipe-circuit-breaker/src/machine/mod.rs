//! The state machine: no clock, no task, no user's code. Time is passed in.
//!
//! One atomic [`Word`] says all that a call needs while the breaker is closed; the rest is under a
//! short lock, under which alone the state and the period change. Each period has a number, and a
//! result is taken in only during the period in which its call was admitted.

mod late;
#[cfg(all(test, standpipe_loom))]
mod loom;
#[cfg(all(test, not(standpipe_loom)))]
mod model;
mod probes;
mod record;
mod reset;
mod rest;
#[cfg(all(test, not(standpipe_loom)))]
mod tests;
mod window;
mod word;

use std::time::Duration;

use standpipe_core::Outcome;
use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

use crate::{Cause, CircuitBreakerConfig, SlowCalls, State, Transition, Trip};
use probes::Lease;
use rest::Rest;
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

impl End {
    pub(crate) const SUCCESS: Self = Self::Judged {
        outcome: Outcome::Success,
        retry_after: None,
    };
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
        let threshold = match config.trip {
            Trip::Consecutive { threshold } => Some(threshold),
            Trip::Window(_) => None,
        };
        Self {
            word: AtomicU64::new(Word::new(State::Closed, false, 0).bits()),
            threshold,
            slow_calls: config.slow_calls(),
            dropped_after: config.dropped_after,
            rest: Mutex::new(Rest::new(config)),
        }
    }

    #[inline]
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
        rest.late_row = 0;
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
