//! What users hang into the layers, and how the layers' hooks reach the metrics.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use http::request::Parts;
use standpipe_circuit_breaker::{Handle, State, Transition};
use standpipe_core::{BoxError, Origin};
use standpipe_metrics::{BreakerState, HostRecorder};
use standpipe_retry::{GiveUpEvent, RetryEvent, RetryLayer};

type OnRetry = dyn Fn(&RetryEvent<'_>) + Send + Sync;
type OnGiveUp = dyn Fn(&GiveUpEvent<'_>) + Send + Sync;
type BeforeAttempt = dyn Fn(&mut Parts, u32) -> Result<(), BoxError> + Send + Sync;
type MakeKey = dyn Fn() -> HeaderValue + Send + Sync;
type OnTransition = dyn Fn(&Origin, &Transition) + Send + Sync;

#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) on_retry: Option<Arc<OnRetry>>,
    pub(crate) on_give_up: Option<Arc<OnGiveUp>>,
    pub(crate) before_attempt: Option<Arc<BeforeAttempt>>,
    pub(crate) idempotency_key: Option<Arc<MakeKey>>,
    pub(crate) on_circuit_transition: Option<Arc<OnTransition>>,
}

impl Hooks {
    /// Hangs these into the retry of a host, behind what counts for it. Where there is nothing to
    /// hang in, the layer has no hook.
    pub(super) fn watch_retry<C>(
        &self,
        mut layer: RetryLayer<C>,
        recorder: Option<&HostRecorder>,
    ) -> RetryLayer<C> {
        if self.on_retry.is_some() || recorder.is_some() {
            let (recorder, hook) = (recorder.cloned(), self.on_retry.clone());
            layer = layer.on_retry(move |retry| {
                if let Some(recorder) = &recorder {
                    recorder.retried(retry.attempts(), retry.delay());
                }
                if let Some(hook) = &hook {
                    hook(retry);
                }
            });
        }
        if self.on_give_up.is_some() || recorder.is_some() {
            let (recorder, hook) = (recorder.cloned(), self.on_give_up.clone());
            layer = layer.on_give_up(move |given_up| {
                if let Some(recorder) = &recorder {
                    recorder.retry_given_up(given_up.reason().as_str());
                }
                if let Some(hook) = &hook {
                    hook(given_up);
                }
            });
        }
        if let Some(hook) = self.before_attempt.clone() {
            layer = layer.before_attempt(move |head, number| hook(head, number));
        }
        if let Some(make) = self.idempotency_key.clone() {
            layer = layer.idempotency_key(move || make());
        }
        layer
    }

    /// The same for the circuit of a host.
    pub(super) fn watch_circuit(
        &self,
        circuit: &Handle,
        origin: &Origin,
        recorder: Option<&HostRecorder>,
    ) {
        if let Some(recorder) = recorder.cloned() {
            circuit.on_transition(move |change| {
                recorder.breaker_transition(told(change.from), told(change.to));
            });
        }
        if let Some(hook) = self.on_circuit_transition.clone() {
            let origin = origin.clone();
            circuit.on_transition(move |change| hook(&origin, change));
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

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("on_retry", &self.on_retry.is_some())
            .field("on_give_up", &self.on_give_up.is_some())
            .field("before_attempt", &self.before_attempt.is_some())
            .field("idempotency_key", &self.idempotency_key.is_some())
            .field(
                "on_circuit_transition",
                &self.on_circuit_transition.is_some(),
            )
            .finish()
    }
}
