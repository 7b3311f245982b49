use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use standpipe_circuit_breaker::{CircuitBreakerConfig, CircuitBreakerLayer, Handle};
use standpipe_core::Origin;
use standpipe_metrics::{AttemptMetricsLayer, HostRecorder, Registry};
use standpipe_retry::{Peek, RetryLayer, RetryPolicy};
use standpipe_router::NewHost;
use standpipe_timeout::TimeoutLayer;
use standpipe_transport::Transport;
use tower_layer::Layer;

use super::attempt::AttemptTimeout;
use super::hooks::Hooks;
use super::judge::AnyRetryAfter;
use super::{Attempt, DefaultHeadersLayer, Guarded, HostService, Optional};

/// Makes the stack of a host when the first request for it comes.
#[derive(Clone, Debug)]
pub struct HostStack {
    transport: Transport,
    settings: Arc<HostSettings>,
}

/// The settings of all hosts, checked.
#[derive(Debug)]
pub(crate) struct HostSettings {
    /// For hosts without settings of their own.
    pub(crate) others: PerHost,
    pub(crate) by_name: HashMap<String, PerHost>,
    pub(crate) hooks: Hooks,
    pub(crate) registry: Registry,
    /// Whether anything is counted there.
    pub(crate) measured: bool,
}

/// What holds for one host.
#[derive(Debug)]
pub(crate) struct PerHost {
    pub(crate) headers: Arc<HeaderMap>,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) retry: RetryPolicy,
    pub(crate) circuit_breaker: Option<CircuitBreakerConfig>,
}

impl HostStack {
    pub(crate) fn new(transport: Transport, settings: HostSettings) -> Self {
        Self {
            transport,
            settings: Arc::new(settings),
        }
    }

    /// The part below the circuit breaker: what one sending of a request goes through.
    fn attempt(&self, host: &PerHost, origin: &Origin) -> Attempt {
        let transport = self.transport.origin(origin);
        // The transport knows deadlines, so the attempt needs no timer of its own.
        let timeout = TimeoutLayer::attempt(host.attempt_timeout).handed_down();
        let timed = AttemptTimeout::new(timeout.layer(transport));
        let registry = self.settings.registry.clone();
        let metrics = match self.settings.measured {
            true => AttemptMetricsLayer::for_origin(registry, origin),
            false => AttemptMetricsLayer::new(registry).enabled(false),
        };
        // PLACE FOR: the rate limit, around this.
        metrics.layer(timed)
    }

    fn guarded(
        &self,
        host: &PerHost,
        origin: &Origin,
        recorder: Option<&HostRecorder>,
        attempt: Attempt,
    ) -> Guarded {
        let Some(config) = &host.circuit_breaker else {
            return Optional::Off(attempt);
        };
        let circuit = match Handle::new(config) {
            Ok(circuit) => circuit,
            Err(error) => unreachable!("checked when the pool was built: {error}"),
        };
        self.settings
            .hooks
            .watch_circuit(&circuit, origin, recorder);
        let layer = CircuitBreakerLayer::shared(circuit).retry_after(AnyRetryAfter);
        Optional::On(layer.layer(attempt), origin.clone())
    }
}

impl NewHost for HostStack {
    type Service = HostService;

    fn new_host(&self, origin: &Origin) -> HostService {
        let settings = &*self.settings;
        let own = settings.by_name.get(origin.host());
        let host = own.unwrap_or(&settings.others);
        let recorder = settings.measured.then(|| settings.registry.host(origin));
        let recorder = recorder.as_ref();

        let attempt = self.attempt(host, origin);
        let guarded = self.guarded(host, origin, recorder, attempt);
        let retry = RetryLayer::new(host.retry.clone()).peek(Peek::default());
        let retry = settings.hooks.watch_retry(retry, recorder);
        DefaultHeadersLayer::new(Arc::clone(&host.headers)).layer(retry.layer(guarded))
    }
}
