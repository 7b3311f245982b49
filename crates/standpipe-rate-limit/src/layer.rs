use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use crate::builder::RateLimitBuilder;
use crate::cost::OneEach;
use crate::handle::Handle;
use crate::protocol::Http;
use crate::quota::Quota;
use crate::service::RateLimit;
use crate::shared::{Settings, Shared};

/// Makes [`RateLimit`].
///
/// Each [`layer`](Layer::layer) makes a limiter of its own, which all clones of the service share;
/// a layer made by [`shared`](RateLimitLayer::shared) puts several stacks under one limiter.
///
/// # Order
///
/// Below a retry, so that every attempt pays, and below a circuit breaker, so that an open circuit
/// fails at once and not after a queue. What sets the
/// [`Deadline`](standpipe_core::Deadline) goes above it.
#[derive(Clone)]
pub struct RateLimitLayer<C = OneEach, P = Http> {
    source: Source,
    cost: C,
    protocol: P,
}

#[derive(Clone)]
enum Source {
    Fresh(Arc<Settings>),
    Shared(Handle),
}

impl RateLimitLayer {
    /// Lets requests out at the pace of `quota`. The rest wait as long as their deadline allows;
    /// the server's word is heeded.
    pub fn new(quota: Quota) -> Self {
        Self::builder().requests(quota).build()
    }

    /// All settings.
    pub fn builder() -> RateLimitBuilder {
        RateLimitBuilder::new()
    }

    /// Puts services under the limiter that `handle` is of, with all of its settings. Each request
    /// costs one unit; see [`cost`](RateLimitLayer::cost).
    pub fn shared(handle: &Handle) -> Self {
        Self {
            source: Source::Shared(handle.clone()),
            cost: OneEach,
            protocol: Http,
        }
    }
}

impl<C, P> RateLimitLayer<C, P> {
    pub(crate) fn of(settings: Settings, cost: C, protocol: P) -> Self {
        Self {
            source: Source::Fresh(Arc::new(settings)),
            cost,
            protocol,
        }
    }

    /// The same with another cost function. It counts for quotas by cost alone.
    pub fn cost<D>(self, cost: D) -> RateLimitLayer<D, P> {
        RateLimitLayer {
            source: self.source,
            cost,
            protocol: self.protocol,
        }
    }

    /// The same for requests and answers of another kind.
    pub fn protocol<Q>(self, protocol: Q) -> RateLimitLayer<C, Q> {
        RateLimitLayer {
            source: self.source,
            cost: self.cost,
            protocol,
        }
    }
}

impl<S, C: Clone, P: Clone> Layer<S> for RateLimitLayer<C, P> {
    type Service = RateLimit<S, C, P>;

    fn layer(&self, inner: S) -> Self::Service {
        let shared = match &self.source {
            Source::Fresh(settings) => Arc::new(Shared::new((**settings).clone())),
            Source::Shared(handle) => handle.0.clone(),
        };
        RateLimit::new(inner, shared, self.cost.clone(), self.protocol.clone())
    }
}

impl<C, P> fmt::Debug for RateLimitLayer<C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RateLimitLayer");
        match &self.source {
            Source::Fresh(settings) => out.field("quotas", &settings.quotas),
            Source::Shared(handle) => out.field("shared", handle),
        };
        out.finish_non_exhaustive()
    }
}
