//! What stands where: layers that join, replace or leave out a part.

use bytes::Bytes;
use http::{Request, Response};
use standpipe_core::{Body, BoxError};
use tower_layer::Stack;
use tower_service::Service;

use super::PoolBuilder;
use crate::stack::{Around, Fixed, HostStack, Swapped};

impl<O, H, T> PoolBuilder<O, H, T> {
    /// Puts `layer` around the whole stack, metrics and total timeout included: it sees each request
    /// once, as it was given to the pool. It goes around those that were put there before.
    #[must_use]
    pub fn layer<L>(self, layer: L) -> PoolBuilder<Stack<O, L>, H, T> {
        PoolBuilder {
            settings: self.settings,
            outer: Stack::new(self.outer, layer),
            host_stack: self.host_stack,
            bottom: self.bottom,
        }
    }

    /// Changes the stack of each host: what stands in the place of each of its layers.
    #[must_use]
    pub fn host_stack<N>(self, change: impl FnOnce(H) -> N) -> PoolBuilder<O, N, T> {
        PoolBuilder {
            settings: self.settings,
            outer: self.outer,
            host_stack: change(self.host_stack),
            bottom: self.bottom,
        }
    }

    /// Sends requests by `service` in place of a transport: any service of requests with our
    /// [`Body`]. Settings of connections, TLS and the phases of a request then have no effect, and
    /// [`Pool::transport`](crate::Pool::transport) is none. It is not relied on to hold to a
    /// request's deadline.
    #[must_use]
    pub fn transport<S, R>(self, service: S) -> PoolBuilder<O, H, Swapped<S>>
    where
        S: Service<Request<Body>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        R: http_body::Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        PoolBuilder {
            settings: self.settings,
            outer: self.outer,
            host_stack: self.host_stack,
            bottom: Swapped::new(service),
        }
    }
}

/// The builder with another layer in one place of a host's stack.
type WithRetry<O, HO, B, L, A, T, N> = PoolBuilder<O, HostStack<HO, Fixed<N>, B, L, A>, T>;
type WithBreaker<O, HO, R, L, A, T, N> = PoolBuilder<O, HostStack<HO, R, Fixed<N>, L, A>, T>;
type WithLimit<O, HO, R, B, A, T, N> = PoolBuilder<O, HostStack<HO, R, B, Fixed<N>, A>, T>;
type WithOuter<O, HO, R, B, L, A, T, N> =
    PoolBuilder<O, HostStack<Around<HO, Fixed<N>>, R, B, L, A>, T>;
type WithAttempt<O, HO, R, B, L, A, T, N> =
    PoolBuilder<O, HostStack<HO, R, B, L, Around<A, Fixed<N>>>, T>;

impl<O, HO, R, B, L, A, T> PoolBuilder<O, HostStack<HO, R, B, L, A>, T> {
    /// Puts `layer` around the stack of each host, but for its default headers: below redirects and
    /// above the retry. Each host's stack has one of its own; see
    /// [`PerOrigin`](crate::PerOrigin) for one that depends on the host.
    #[must_use]
    pub fn host_layer<N>(self, layer: N) -> WithOuter<O, HO, R, B, L, A, T, N> {
        self.host_stack(|stack| stack.outer(Fixed(layer)))
    }

    /// Puts `layer` in the place of the retry; see [`HostStack::retry`].
    #[must_use]
    pub fn retry<N>(self, layer: N) -> WithRetry<O, HO, B, L, A, T, N> {
        self.host_stack(|stack| stack.retry(Fixed(layer)))
    }

    /// Puts `layer` in the place of the circuit breaker; see [`HostStack::circuit_breaker`].
    #[must_use]
    pub fn circuit_breaker_layer<N>(self, layer: N) -> WithBreaker<O, HO, R, L, A, T, N> {
        self.host_stack(|stack| stack.circuit_breaker(Fixed(layer)))
    }

    /// Puts `layer` in the place of the rate limit; see [`HostStack::rate_limit`].
    #[must_use]
    pub fn rate_limit_layer<N>(self, layer: N) -> WithLimit<O, HO, R, B, A, T, N> {
        self.host_stack(|stack| stack.rate_limit(Fixed(layer)))
    }

    /// Puts `layer` around each sending of a request; see [`HostStack::attempt`].
    #[must_use]
    pub fn attempt_layer<N>(self, layer: N) -> WithAttempt<O, HO, R, B, L, A, T, N> {
        self.host_stack(|stack| stack.attempt(Fixed(layer)))
    }
}
