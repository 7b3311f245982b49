use std::sync::Arc;

use standpipe_core::{Error, ErrorKind, Phase};
use tokio::time::Instant;

use crate::call::Call;
use crate::counts::Counters;
use crate::listeners::Listeners;
use crate::machine::{End, Machine, Permit, Refusal};
use crate::{CircuitBreakerConfig, State, Trip};

/// One circuit: what all clones of a breaker, its handles and the calls under way have in common.
/// The machine decides; here it is given the time, and what it decided is counted and told.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) machine: Machine,
    pub(crate) counters: Counters,
    pub(crate) listeners: Listeners,
    times_calls: bool,
}

impl Shared {
    /// `config` has been checked.
    pub(crate) fn new(config: &CircuitBreakerConfig) -> Self {
        let takes_lock = matches!(config.trip, Trip::Window(_));
        Self {
            machine: Machine::new(config),
            counters: Counters::new(config.count_successes || takes_lock),
            listeners: Listeners::default(),
            times_calls: config.times_calls(),
        }
    }

    /// Begins a call, unless it is refused.
    #[inline]
    pub(crate) fn begin(self: &Arc<Self>) -> Result<Call, Error> {
        let mut permit = match self.machine.admit_closed() {
            Some(permit) => permit,
            None => self.admit()?,
        };
        if self.times_calls {
            permit.began = Some(Instant::now());
        }
        Ok(Call::new(Arc::clone(self), permit))
    }

    #[cold]
    fn admit(&self) -> Result<Permit, Error> {
        let admitted = self.machine.admit(Instant::now());
        self.announce();
        admitted.map_err(|refusal| self.refuse(refusal))
    }

    /// Whether a call would be refused now.
    #[inline]
    pub(crate) fn refuses(&self) -> bool {
        self.machine.state() != State::Closed && self.machine.refusal(Instant::now()).is_some()
    }

    /// Refuses a call that came while others were refused, whatever the state is by now.
    #[cold]
    pub(crate) fn refuse_stale(&self) -> Error {
        let refusal = self.machine.refusal(Instant::now());
        self.refuse(refusal.unwrap_or(Refusal::over(self.machine.state())))
    }

    fn refuse(&self, refusal: Refusal) -> Error {
        self.counters.rejected();
        let error = Error::new(ErrorKind::CircuitOpen).with_phase(Phase::Admit);
        match (refusal.state, refusal.retry_after) {
            (_, Some(wait)) => error.with_retry_after(wait),
            (State::HalfOpen, None) => error.with_message("all probes are under way"),
            (_, None) => error.with_message("held open by hand"),
        }
    }

    /// Takes in that a call succeeded.
    #[inline]
    pub(crate) fn succeed(&self, permit: &Permit) {
        match self.machine.record_success(permit) {
            Some(recorded) => self.counters.recorded(recorded),
            None => self.end(permit, End::SUCCESS),
        }
    }

    /// Takes in how a call ended.
    pub(crate) fn end(&self, permit: &Permit, end: End) {
        let recorded = self.machine.record(permit, end, Instant::now());
        self.counters.recorded(recorded);
        self.announce();
    }

    /// Tells the listeners what they do not know yet, unless somebody else is about it: then that
    /// one tells this too.
    pub(crate) fn announce(&self) {
        if !self.machine.begin_telling() {
            return;
        }
        let mut telling = Telling {
            machine: &self.machine,
            over: false,
        };
        while let Some(transition) = self.machine.next_untold() {
            self.counters.changed_state();
            self.listeners.tell(&transition);
        }
        // From here on another one may be telling.
        telling.over = true;
    }
}

/// Lets the next one tell, should a waker panic. Whether a panic is under way says nothing here: it
/// may be the one of the call that brought about the transition.
struct Telling<'a> {
    machine: &'a Machine,
    over: bool,
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.machine.break_off_telling();
        }
    }
}
