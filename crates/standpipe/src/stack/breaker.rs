use standpipe_circuit_breaker::{AtHead, CircuitBreaker, CircuitBreakerLayer};
use standpipe_core::HttpClassifier;
use tower_layer::Layer;

use super::circuit::Circuit;
use super::host_layer::{HostContext, HostLayer};
use super::judge::AnyRetryAfter;
use super::optional::Optional;

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
        // Its listeners, and what it knows, go on.
        let kept = before.and_then(|circuit| circuit.under(config));
        let circuit = kept.unwrap_or_else(|| Circuit::new(config, host));
        let handle = circuit.handle.clone();
        host.parts.circuit = Some(circuit);
        let layer = CircuitBreakerLayer::shared(handle).retry_after(AnyRetryAfter);
        Optional::On(layer.layer(inner), host.origin.clone())
    }
}
