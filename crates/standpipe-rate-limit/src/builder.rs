use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use standpipe_core::Closing;

use crate::cost::OneEach;
use crate::handle::Handle;
use crate::hooks::Hooks;
use crate::layer::RateLimitLayer;
use crate::protocol::{AnyRequest, Http};
use crate::server::ServerWord;
use crate::shared::Settings;
use crate::store::Store;
use crate::{Quota, Unit};

/// The settings of a [`RateLimitLayer`].
///
/// Without a quota it admits everything, but for what the server says.
///
/// ```
/// use standpipe_rate_limit::{Quota, RateLimitLayer};
/// use std::num::NonZeroU32;
/// use std::time::Duration;
///
/// let n = |n| NonZeroU32::new(n).unwrap();
/// let layer = RateLimitLayer::builder()
///     .requests(Quota::per_minute(n(60)))
///     .cost(Quota::per_minute(n(100_000)), |request: &http::Request<String>| {
///         1 + request.body().len() as u32 / 4
///     })
///     .max_wait(Duration::from_secs(20))
///     .build();
/// # let _ = layer;
/// ```
#[must_use]
pub struct RateLimitBuilder<C = OneEach, P = Http> {
    settings: Settings,
    cost: C,
    protocol: P,
}

impl RateLimitBuilder {
    pub(crate) fn new() -> Self {
        Self {
            settings: Settings {
                quotas: Vec::new(),
                max_wait: None,
                max_waiting: usize::MAX,
                word: Some(ServerWord::default()),
                actual: None,
                clock: None,
                closing: None,
                hooks: Hooks::default(),
                store: None,
                keep: None,
            },
            cost: OneEach,
            protocol: Http,
        }
    }
}

impl<P> RateLimitBuilder<OneEach, P> {
    /// A quota of cost, of which each request takes what `cost` makes of it, at least one.
    ///
    /// Each response then has a [`Settle`](crate::Settle) in its extensions.
    pub fn cost<C>(mut self, quota: Quota, cost: C) -> RateLimitBuilder<C, P> {
        self.settings.quotas.push((quota, Unit::Cost));
        RateLimitBuilder {
            settings: self.settings,
            cost,
            protocol: self.protocol,
        }
    }
}

impl<C, P> RateLimitBuilder<C, P> {
    /// A quota of requests, on top of those set before: all must admit.
    pub fn requests(self, quota: Quota) -> Self {
        self.quota(quota, Unit::Request)
    }

    /// A quota in `unit`, on top of those set before: all must admit, and none is charged unless all
    /// are. Without a cost function, the cost of each request is one.
    pub fn quota(mut self, quota: Quota, unit: Unit) -> Self {
        self.settings.quotas.push((quota, unit));
        self
    }

    /// What a response's headers say it cost in the end, where they do: then it is settled without
    /// the caller's doing.
    pub fn settle(
        mut self,
        actual: impl Fn(&HeaderMap) -> Option<u32> + Send + Sync + 'static,
    ) -> Self {
        self.settings.actual = Some(Arc::new(actual));
        self
    }

    /// Requests wait for `longest` at most, and never beyond their deadline: one whose turn is
    /// farther away is refused at once. Unless set, the deadline alone holds.
    pub fn max_wait(mut self, longest: Duration) -> Self {
        self.settings.max_wait = Some(longest);
        self
    }

    /// Requests never wait: what cannot go out at once is refused.
    pub fn reject(self) -> Self {
        self.max_wait(Duration::ZERO)
    }

    /// No more than `requests` wait; more are refused. Unless set, any number.
    ///
    /// Where the quotas are in a [`store`](RateLimitBuilder::store) it counts those alone who wait
    /// out a pause.
    pub fn max_waiting(mut self, requests: usize) -> Self {
        self.settings.max_waiting = requests;
        self
    }

    /// What is heeded of what the server says; all of it, unless set.
    pub fn server_word(mut self, word: ServerWord) -> Self {
        self.settings.word = Some(word).filter(|word| !word.is_none());
        self
    }

    /// Takes the time of day from `clock`, unless set the system's: dates in headers are held against
    /// it, where an answer has no `Date` of its own.
    pub fn wall_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.settings.clock = Some(Arc::new(clock));
        self
    }

    /// Nothing is heeded of what the server says.
    pub fn no_server_word(mut self) -> Self {
        self.settings.word = None;
        self
    }

    /// Keeps the quotas in `store`, such as one for a whole fleet. The server's word pauses this
    /// process alone.
    pub fn store(mut self, store: impl Store) -> Self {
        self.settings.store = Some(Arc::new(store));
        self
    }

    /// Once `signal` is closed nobody waits: those in line, and all who would have to join it, end
    /// with [`Shutdown`](standpipe_core::ErrorKind::Shutdown).
    pub fn closing(mut self, signal: Closing) -> Self {
        self.settings.closing = Some(signal);
        self
    }

    /// Goes on with the limiter that `handle` is of, in place of a new one: with what is taken, with
    /// who waits, a pause, and the counts. The quotas of this builder replace its own as
    /// [`set_quotas`](Handle::set_quotas) does it when a service is made, and hold for all services
    /// of that limiter, unless they are those that the layer before had: then what was set by hand
    /// since stays. The waits, the hooks and all else are those of each service's own layer.
    pub fn keep(mut self, handle: &Handle) -> Self {
        self.settings.keep = Some(handle.0.limiter.clone());
        self
    }

    /// Called with the expected wait when a request has to wait. A panic ends that request alone.
    pub fn on_wait(mut self, hook: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.settings.hooks.wait = Some(Arc::new(hook));
        self
    }

    /// Called when a request is refused, with how long it would have had to wait where that is known.
    pub fn on_reject(mut self, hook: impl Fn(Option<Duration>) + Send + Sync + 'static) -> Self {
        self.settings.hooks.reject = Some(Arc::new(hook));
        self
    }

    /// Called when the server's word, or a [`Handle`](crate::Handle), pauses the limiter.
    pub fn on_pause(mut self, hook: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.settings.hooks.pause = Some(Arc::new(hook));
        self
    }

    /// For requests of any kind: without deadlines, and deaf to what the server says.
    pub fn any_request(self) -> RateLimitBuilder<C, AnyRequest> {
        self.protocol(AnyRequest)
    }

    /// For requests and answers of a kind that `protocol` knows.
    pub fn protocol<Q>(self, protocol: Q) -> RateLimitBuilder<C, Q> {
        RateLimitBuilder {
            settings: self.settings,
            cost: self.cost,
            protocol,
        }
    }

    /// The layer.
    pub fn build(self) -> RateLimitLayer<C, P> {
        RateLimitLayer::of(self.settings, self.cost, self.protocol)
    }
}

impl<C, P> fmt::Debug for RateLimitBuilder<C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitBuilder")
            .field("quotas", &self.settings.quotas)
            .finish_non_exhaustive()
    }
}
