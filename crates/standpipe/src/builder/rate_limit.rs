//! Rate limits, and who is told of them.

use std::sync::Arc;

use http::{HeaderMap, Request};
use standpipe_core::{Body, Origin};
use standpipe_rate_limit::{RateLimitConfig, Store};

use super::PoolBuilder;
use crate::stack::RateLimitEvent;

impl<O, H, T> PoolBuilder<O, H, T> {
    /// Sets [`PoolConfig::rate_limit`](crate::PoolConfig::rate_limit): each origin has one of its own.
    #[must_use]
    pub fn rate_limit(mut self, config: impl Into<RateLimitConfig>) -> Self {
        self.settings.config.rate_limit = Some(config.into());
        self
    }

    /// Has `cost` say how many units of the quotas by cost a request to the origin takes, such as
    /// tokens. A [`RequestBuilder::cost`](crate::RequestBuilder::cost) goes first; without either a
    /// request takes one. What comes of an answer is told by
    /// [`actual_cost`](PoolBuilder::actual_cost), or by the caller to the
    /// [`Settle`](standpipe_rate_limit::Settle) in the answer's extensions.
    ///
    /// # Panics
    ///
    /// A panic of the function ends that request alone.
    #[must_use]
    pub fn request_cost(
        mut self,
        cost: impl Fn(&Origin, &Request<Body>) -> u32 + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.cost_of = Some(Arc::new(cost));
        self
    }

    /// Has `actual` read from an answer's headers what it cost in the end, where they say it.
    ///
    /// # Panics
    ///
    /// A panic of the function ends that request alone.
    #[must_use]
    pub fn actual_cost(
        mut self,
        actual: impl Fn(&Origin, &HeaderMap) -> Option<u32> + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.actual_cost = Some(Arc::new(actual));
        self
    }

    /// Keeps the quotas of each origin in the store that `store` gives for it, such as one on Redis
    /// for a whole fleet.
    ///
    /// It is asked at an origin's first request, and again whenever the host's limits are made anew; where both
    /// meet, what one of the calls gave is not used.
    #[must_use]
    pub fn rate_limit_store<S: Store>(
        mut self,
        store: impl Fn(&Origin) -> S + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.store_for = Some(Arc::new(move |origin| Arc::new(store(origin))));
        self
    }

    /// Shows to `hook` what rate limits do: who waits, who is refused, and pauses that the server
    /// asked for. It should not wait.
    ///
    /// # Panics
    ///
    /// A panic of the hook ends that request alone.
    #[must_use]
    pub fn on_rate_limit(
        mut self,
        hook: impl Fn(&Origin, &RateLimitEvent) + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.on_rate_limit = Some(Arc::new(hook));
        self
    }
}
