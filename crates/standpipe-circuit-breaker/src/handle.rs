use std::sync::Arc;

use standpipe_core::Error;
use tokio::sync::watch;

use crate::shared::Shared;
use crate::{CircuitBreakerConfig, Counts, LateCall, State, Transition};

/// A circuit's state, to look at and to change by hand.
///
/// It comes from [`CircuitBreaker::handle`](crate::CircuitBreaker::handle), or is made first and
/// given to [`CircuitBreakerLayer::shared`](crate::CircuitBreakerLayer::shared), by which several
/// stacks have one circuit.
///
/// # Clone
///
/// All clones are of one circuit.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
}

impl Handle {
    /// Makes a closed circuit.
    ///
    /// # Errors
    ///
    /// [`Config`](standpipe_core::ErrorKind::Config) for what
    /// [`CircuitBreakerConfig::check`] refuses.
    pub fn new(config: &CircuitBreakerConfig) -> Result<Self, Error> {
        config.check()?;
        Ok(Self::of(Arc::new(Shared::new(config))))
    }

    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The state now. A breaker whose reset period is over is open until the next caller comes.
    pub fn state(&self) -> State {
        self.shared.machine.state()
    }

    /// Whether the state is held by [`force_open`](Self::force_open) or
    /// [`force_closed`](Self::force_closed).
    pub fn is_forced(&self) -> bool {
        self.shared.machine.is_held()
    }

    /// Refuses every call until [`reset`](Self::reset) or [`force_closed`](Self::force_closed).
    pub fn force_open(&self) {
        self.shared.machine.hold(State::Open);
        self.shared.announce();
    }

    /// Lets every call through until [`reset`](Self::reset) or [`force_open`](Self::force_open).
    /// Results are counted in [`counts`](Self::counts) and open nothing.
    pub fn force_closed(&self) {
        self.shared.machine.hold(State::Closed);
        self.shared.announce();
    }

    /// Closes the breaker and ends what was forced. All that was known of the service is
    /// forgotten; the [counts](Self::counts) stay.
    pub fn reset(&self) {
        self.shared.machine.release();
        self.shared.announce();
    }

    /// Has `listener` called once for each transition from now on, in their order, by whoever
    /// caused it or by whoever is calling the listeners at that time. No lock is held meanwhile, so
    /// it may use this handle; it should not wait, as a call may do so for it.
    ///
    /// A listener lives as long as the circuit: one that holds a handle of it keeps it alive.
    ///
    /// # Panics
    ///
    /// A listener's panic ends with it: neither the call nor the other listeners see it.
    pub fn on_transition(&self, listener: impl Fn(&Transition) + Send + Sync + 'static) {
        self.shared.listeners.add(Arc::new(listener));
    }

    /// The state, to wait for its changes. States that follow each other faster than the receiver
    /// looks are passed over. The channel closes with the circuit.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.shared.listeners.watch(|| self.state())
    }

    /// The rest of a call whose head has just come, for whoever may learn later that it failed.
    pub fn late_call(&self) -> LateCall {
        LateCall::new(Arc::clone(&self.shared))
    }

    /// What the breaker has seen.
    pub fn counts(&self) -> Counts {
        self.shared.counters.snapshot()
    }
}
