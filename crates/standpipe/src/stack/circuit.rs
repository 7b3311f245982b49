//! The circuit of a host, and what the host's metrics are told of it.

use std::sync::{Arc, OnceLock};

use standpipe_circuit_breaker::{CircuitBreakerConfig, Handle, State, Transition};
use standpipe_metrics::{BreakerState, HostRecorder};

use super::host_layer::HostContext;

/// The circuit of a host, with the settings that it was made from: with others a new one is made.
#[derive(Clone, Debug)]
pub(crate) struct Circuit {
    pub(crate) handle: Handle,
    made_from: CircuitBreakerConfig,
    /// None where nothing is measured. The circuit's listener does not keep it: what the last user of
    /// an evicted host does to its circuit is not told.
    gauge: Option<Arc<Gauge>>,
}

/// Tells a host's metrics of a circuit for as long as it is the host's.
#[derive(Debug)]
struct Gauge {
    recorder: HostRecorder,
    /// The circuit that took its place; none where the host has no breaker any more.
    next: OnceLock<Option<Handle>>,
}

impl Circuit {
    /// A new one. `config` has been checked.
    pub(super) fn new(config: &CircuitBreakerConfig, host: &HostContext<'_>) -> Self {
        let handle = match Handle::new(config) {
            Ok(handle) => handle,
            Err(error) => unreachable!("checked when the settings were: {error}"),
        };
        let gauge = host.recorder.map(|recorder| {
            Arc::new(Gauge {
                recorder: recorder.clone(),
                next: OnceLock::new(),
            })
        });
        if let Some(gauge) = gauge.as_ref().map(Arc::downgrade) {
            handle.on_transition(move |change| {
                if let Some(gauge) = gauge.upgrade() {
                    gauge.tell(change);
                }
            });
        }
        host.hooks.watch_circuit(&handle, host.origin);
        Self {
            handle,
            made_from: config.clone(),
            gauge,
        }
    }

    /// The same under settings that let it go on. How long a probe may take follows from the timeouts,
    /// and is no reason to forget what is known of a host.
    pub(super) fn under(&self, config: &CircuitBreakerConfig) -> Option<Self> {
        let same = self.made_from.clone().probe_timeout(config.probe_timeout) == *config;
        same.then(|| Self {
            made_from: config.clone(),
            ..self.clone()
        })
    }

    /// Has the metrics go on with `next`, which the host has now, unless that is this one.
    pub(super) fn give_way(&self, next: Option<&Self>) {
        let Some(gauge) = &self.gauge else {
            return;
        };
        let next_gauge = next.and_then(|next| next.gauge.as_ref());
        if next_gauge.is_none_or(|next| !Arc::ptr_eq(next, gauge)) {
            gauge.end(next.map(|next| next.handle.clone()));
        }
    }
}

impl Gauge {
    fn tell(&self, change: &Transition) {
        if self.next.get().is_some() {
            return;
        }
        let (from, to) = (told(change.from), told(change.to));
        self.recorder.breaker_transition(from, to);
        // The race: another circuit has taken its place since the look above, and was told of first.
        self.tell_next();
    }

    fn end(&self, next: Option<Handle>) {
        // Of several that end it the first one's word holds; each of them is told.
        let _ = self.next.set(next);
        self.tell_next();
    }

    fn tell_next(&self) {
        if let Some(next) = self.next.get() {
            let state = next.as_ref().map_or(State::Closed, Handle::state);
            self.recorder.breaker_replaced(told(state));
        }
    }
}

fn told(state: State) -> BreakerState {
    match state {
        State::Closed => BreakerState::Closed,
        State::Open => BreakerState::Open,
        State::HalfOpen => BreakerState::HalfOpen,
    }
}
