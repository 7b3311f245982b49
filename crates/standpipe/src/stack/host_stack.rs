use standpipe_core::{Body, BoxError};
use standpipe_metrics::{AttemptMetricsLayer, Metrics};
use standpipe_timeout::TimeoutLayer;
use tower_layer::Layer;
use tower_service::Service;

use super::attempt::AttemptTimeout;
use super::breaker::HostBreaker;
use super::host_layer::{Around, HostContext, HostLayer, NoLayer};
use super::limit::HostLimit;
use super::retry::HostRetry;
use crate::decompress::Decompress;

/// What stands where in the stack of each host, from its default headers down to the transport:
/// a place for the user's own layers, the retry, the circuit breaker, the rate limit, and a place
/// for the user's own layers around each attempt.
///
/// Each place takes a [`HostLayer`]: [`Fixed`](super::Fixed) for a layer of tower's, [`PerOrigin`] for a closure
/// that makes one, [`NoLayer`] to leave the place empty.
///
/// [`PerOrigin`]: super::PerOrigin
///
/// ```
/// use standpipe::{Fixed, HostStack, Pool};
/// use tower::util::MapRequestLayer;
///
/// let pool = Pool::builder()
///     .host_stack(|stack: HostStack| {
///         stack.without_circuit_breaker().attempt(Fixed(MapRequestLayer::new(
///             |request: http::Request<standpipe::Body>| request,
///         )))
///     })
///     .build()
///     .unwrap();
/// # drop(pool);
/// ```
///
/// # Deadlines
///
/// A layer from outside is not relied on to end its waits at the request's
/// [`Deadline`](standpipe_core::Deadline): with one in a place, the timeouts above it run timers of
/// their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostStack<O = NoLayer, R = HostRetry, B = HostBreaker, L = HostLimit, A = NoLayer> {
    outer: O,
    retry: R,
    breaker: B,
    limit: L,
    attempt: A,
    foreign: Foreign,
}

/// Where a layer stands that may wait beyond the deadline.
#[derive(Clone, Copy, Debug, Default)]
struct Foreign {
    anywhere: bool,
    in_attempt: bool,
}

impl HostStack {
    /// The stack as it is by default.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<O, R, B, L, A> HostStack<O, R, B, L, A> {
    /// Puts `layer` around all of the host's stack, but for its default headers; around those that
    /// were put there before.
    #[must_use]
    pub fn outer<N>(self, layer: N) -> HostStack<Around<O, N>, R, B, L, A> {
        HostStack {
            outer: Around {
                inner: self.outer,
                outer: layer,
            },
            retry: self.retry,
            breaker: self.breaker,
            limit: self.limit,
            attempt: self.attempt,
            foreign: self.foreign.here(),
        }
    }

    /// Puts `layer` in the place of the retry. The settings of retries then have no effect.
    #[must_use]
    pub fn retry<N>(self, layer: N) -> HostStack<O, N, B, L, A> {
        HostStack {
            outer: self.outer,
            retry: layer,
            breaker: self.breaker,
            limit: self.limit,
            attempt: self.attempt,
            foreign: self.foreign.here(),
        }
    }

    /// Leaves the place of the retry empty. The settings of retries then have no effect, whenever they
    /// are set.
    #[must_use]
    pub fn without_retry(self) -> HostStack<O, NoLayer, B, L, A> {
        let foreign = self.foreign;
        let stack = self.retry(NoLayer);
        HostStack { foreign, ..stack }
    }

    /// Puts `layer` in the place of the circuit breaker. The settings of circuit breakers then have
    /// no effect.
    #[must_use]
    pub fn circuit_breaker<N>(self, layer: N) -> HostStack<O, R, N, L, A> {
        HostStack {
            outer: self.outer,
            retry: self.retry,
            breaker: layer,
            limit: self.limit,
            attempt: self.attempt,
            foreign: self.foreign.here(),
        }
    }

    /// Leaves the place of the circuit breaker empty. The settings of circuit breakers then have no effect, whenever they
    /// are set.
    #[must_use]
    pub fn without_circuit_breaker(self) -> HostStack<O, R, NoLayer, L, A> {
        let foreign = self.foreign;
        let stack = self.circuit_breaker(NoLayer);
        HostStack { foreign, ..stack }
    }

    /// Puts `layer` in the place of the rate limit. The settings of rate limits then have no effect.
    #[must_use]
    pub fn rate_limit<N>(self, layer: N) -> HostStack<O, R, B, N, A> {
        HostStack {
            outer: self.outer,
            retry: self.retry,
            breaker: self.breaker,
            limit: layer,
            attempt: self.attempt,
            foreign: self.foreign.here(),
        }
    }

    /// Leaves the place of the rate limit empty. The settings of rate limits then have no effect, whenever they
    /// are set.
    #[must_use]
    pub fn without_rate_limit(self) -> HostStack<O, R, B, NoLayer, A> {
        let foreign = self.foreign;
        let stack = self.rate_limit(NoLayer);
        HostStack { foreign, ..stack }
    }

    /// Puts `layer` around the transport, within the attempt's metrics and its timeout: it sees each
    /// sending of a request. It goes around those that were put there before.
    #[must_use]
    pub fn attempt<N>(self, layer: N) -> HostStack<O, R, B, L, Around<A, N>> {
        HostStack {
            outer: self.outer,
            retry: self.retry,
            breaker: self.breaker,
            limit: self.limit,
            attempt: Around {
                inner: self.attempt,
                outer: layer,
            },
            foreign: Foreign {
                anywhere: true,
                in_attempt: true,
            },
        }
    }
}

impl Foreign {
    fn here(self) -> Self {
        Self {
            anywhere: true,
            ..self
        }
    }
}

/// Makes the stack of a host over the bottom of a pool. [`HostStack`] does, where its layers fit
/// each other.
pub trait NewHostStack<S>: Clone + Send + Sync + 'static {
    /// The stack.
    type Service: Service<http::Request<Body>, Error = BoxError> + Clone + Send + Sync + 'static;

    #[doc(hidden)]
    fn new_stack(&self, host: &mut HostContext<'_>, bottom: S, deadlines: bool) -> Self::Service;

    /// Whether all that waits here ends at the request's deadline.
    #[doc(hidden)]
    fn holds_to_deadlines(&self) -> bool;
}

impl<S, O, R, B, L, A> NewHostStack<S> for HostStack<O, R, B, L, A>
where
    A: HostLayer<S>,
    L: HostLayer<Metrics<AttemptTimeout<A::Service>>>,
    B: HostLayer<L::Service>,
    R: HostLayer<Decompress<B::Service>>,
    O: HostLayer<R::Service>,
    O::Service: Service<http::Request<Body>, Error = BoxError> + Clone + Send + Sync + 'static,
    Self: Clone + Send + Sync + 'static,
{
    type Service = O::Service;

    fn new_stack(&self, host: &mut HostContext<'_>, bottom: S, deadlines: bool) -> O::Service {
        let inner = self.attempt.layer_host(host, bottom);
        let timeout = TimeoutLayer::attempt(host.settings.attempt_timeout);
        // Where all below knows deadlines, the attempt needs no timer of its own.
        let timeout = match deadlines && !self.foreign.in_attempt {
            true => timeout.handed_down(),
            false => timeout,
        };
        let timed = AttemptTimeout::new(timeout.layer(inner));
        let registry = host.registry.clone();
        let metrics = match host.recorder {
            Some(_) => AttemptMetricsLayer::for_origin(registry, host.origin),
            None => AttemptMetricsLayer::new(registry).enabled(false),
        };
        let attempt = metrics.layer(timed);
        let limited = self.limit.layer_host(host, attempt);
        let guarded = self.breaker.layer_host(host, limited);
        // Below the retry, which looks into the bodies of failures.
        let decoded = host.decompress.layer(guarded);
        let retried = self.retry.layer_host(host, decoded);
        self.outer.layer_host(host, retried)
    }

    fn holds_to_deadlines(&self) -> bool {
        !self.foreign.anywhere
    }
}
