use standpipe_core::Origin;
use tower_layer::Layer;

use crate::host::HostRecorder;
use crate::recorder::Scope;
use crate::service::Counting;
use crate::{Metrics, Registry};

/// Makes [`Metrics`] for logical requests: one record for each, whatever it takes below.
///
/// # Order
///
/// Outermost: above the total timeout, redirects and retries. What is outside of it is not counted.
/// [`AttemptMetricsLayer`] goes below the retry. For a client that has neither retries nor
/// redirects, `AttemptMetricsLayer` alone gives OpenTelemetry's series and spans.
#[derive(Clone, Debug)]
pub struct MetricsLayer {
    registry: Registry,
    on: bool,
}

impl MetricsLayer {
    /// Counts in `registry`, for the host that the request's URL names.
    pub fn new(registry: Registry) -> Self {
        Self { registry, on: true }
    }

    /// Whether it counts. Off, its services hand requests on and do no more.
    #[must_use]
    pub fn enabled(self, on: bool) -> Self {
        Self { on, ..self }
    }

    /// The registry that it counts in.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = Metrics<S>;

    fn layer(&self, inner: S) -> Metrics<S> {
        Metrics::new(
            inner,
            Counting {
                scope: Scope::Request,
                registry: self.registry.clone(),
                host: None,
                on: self.on,
            },
        )
    }
}

/// Makes [`Metrics`] for attempts: one record and one span for each time a request is sent.
///
/// # Order
///
/// Below the retry, the circuit breaker and the rate limit, so that what they refuse is no attempt,
/// and time in their queues is not the server's.
#[derive(Clone, Debug)]
pub struct AttemptMetricsLayer {
    registry: Registry,
    host: Option<HostRecorder>,
    on: bool,
}

impl AttemptMetricsLayer {
    /// Counts in `registry`, for the host that the request's URL names.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            host: None,
            on: true,
        }
    }

    /// Counts in `registry` for `origin`, whatever the URL says: for a stack that is one origin's,
    /// which saves finding it each time.
    pub fn for_origin(registry: Registry, origin: &Origin) -> Self {
        let host = Some(registry.host(origin));
        Self {
            registry,
            host,
            on: true,
        }
    }

    /// Whether it counts and makes spans. Off, its services hand requests on and do no more.
    #[must_use]
    pub fn enabled(self, on: bool) -> Self {
        Self { on, ..self }
    }
}

impl<S> Layer<S> for AttemptMetricsLayer {
    type Service = Metrics<S>;

    fn layer(&self, inner: S) -> Metrics<S> {
        Metrics::new(
            inner,
            Counting {
                scope: Scope::Attempt,
                registry: self.registry.clone(),
                host: self.host.clone(),
                on: self.on,
            },
        )
    }
}
