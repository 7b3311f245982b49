use standpipe_circuit_breaker::{
    AtHead, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerLayer, Handle,
};
use standpipe_core::HttpClassifier;
use tower_layer::Layer;

use super::host_layer::{HostContext, HostLayer};
use super::judge::AnyRetryAfter;
use super::optional::Optional;
use super::parts::Kept;

/// The place of the circuit breaker: one of the host's own, as its settings say, or none.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostBreaker;

impl<S> HostLayer<S> for HostBreaker {
    type Service = Optional<CircuitBreaker<S, AtHead<HttpClassifier, AnyRetryAfter>>, S>;

    fn layer_host(&self, host: &mut HostContext<'_>, inner: S) -> Self::Service {
        let Some(config) = &host.settings.circuit_breaker else {
            return Optional::Off(inner);
        };
        let before = host.before.and_then(|parts| parts.circuit.as_ref());
        let circuit = match before {
            // Its listeners, and what it knows, go on.
            Some(kept) if is_same(&kept.made_from, config) => kept.handle.clone(),
            _ => {
                let circuit = match Handle::new(config) {
                    Ok(circuit) => circuit,
                    Err(error) => unreachable!("checked when the settings were: {error}"),
                };
                host.hooks
                    .watch_circuit(&circuit, host.origin, host.recorder);
                circuit
            }
        };
        host.parts.circuit = Some(Kept {
            handle: circuit.clone(),
            made_from: config.clone(),
        });
        let layer = CircuitBreakerLayer::shared(circuit).retry_after(AnyRetryAfter);
        Optional::On(layer.layer(inner), host.origin.clone())
    }
}

/// Whether a circuit made from `before` may go on. How long a probe may take follows from the timeouts,
/// and is no reason to forget what is known of a host.
fn is_same(before: &CircuitBreakerConfig, now: &CircuitBreakerConfig) -> bool {
    before.clone().probe_timeout(now.probe_timeout) == *now
}
