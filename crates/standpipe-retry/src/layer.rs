use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderValue, request::Parts};
use standpipe_core::{BoxError, Closing, RequestSent};
use tower_layer::Layer;

use crate::hooks::Hooks;
use crate::shared::{Settings, Shared};
use crate::{
    Backoff, Budget, GiveUpEvent, NoPeek, Peek, Policy, Retry, RetryEvent, RetryHandle, RetryPolicy,
};

/// Makes [`Retry`], each with a budget of its own.
///
/// # Order
///
/// Above whatever rejects, limits or times single attempts, below the total timeout, which sets the
/// deadline that the waits keep to. Above a decompression, where a [`peek`](RetryLayer::peek) is to
/// read answers.
///
/// # Clone
///
/// A clone makes the same; hooks and what was given as an object are shared.
#[derive(Clone, Debug)]
pub struct RetryLayer<C = NoPeek> {
    settings: Settings<C>,
}

impl Default for RetryLayer {
    fn default() -> Self {
        Self::new(RetryPolicy::default())
    }
}

impl RetryLayer {
    /// Retries as `policy` says.
    pub fn new(policy: RetryPolicy) -> Self {
        Self {
            settings: Settings {
                policy,
                judge: None,
                backoff: None,
                budget: None,
                hooks: Hooks::default(),
                clock: None,
                seed: None,
                closing: None,
                keep: None,
                peek: NoPeek,
            },
        }
    }

    /// A layer whose services share everything with the one that `handle` is of: the settings, the
    /// budget and the counts.
    pub fn shared<C>(handle: &RetryHandle<C>) -> SharedRetryLayer<C> {
        SharedRetryLayer(handle.clone())
    }
}

impl<C> RetryLayer<C> {
    /// Looks into the body of a 4xx answer that would be tried again, and takes it as final where
    /// `peek` says so. The answer's body must be one that takes back what was read of it, such as
    /// [`standpipe_core::Body`].
    pub fn peek(self, peek: Peek) -> RetryLayer<Peek> {
        let settings = self.settings;
        RetryLayer {
            settings: Settings {
                policy: settings.policy,
                judge: settings.judge,
                backoff: settings.backoff,
                budget: settings.budget,
                hooks: settings.hooks,
                clock: settings.clock,
                seed: settings.seed,
                closing: settings.closing,
                keep: settings.keep,
                peek,
            },
        }
    }

    /// Asks `judge` what is retried, in place of the policy's own table. The policy's numbers hold.
    #[must_use]
    pub fn judge(mut self, judge: impl Policy + 'static) -> Self {
        self.settings.judge = Some(Arc::new(judge));
        self
    }

    /// Asks `backoff` for the waits, in place of the policy's own.
    #[must_use]
    pub fn backoff(mut self, backoff: impl Backoff + 'static) -> Self {
        self.settings.backoff = Some(Arc::new(backoff));
        self
    }

    /// Charges `budget`, in place of one that is made for each service from the policy. All services
    /// of this layer and of its clones share it.
    #[must_use]
    pub fn budget(mut self, budget: impl Budget + 'static) -> Self {
        self.settings.budget = Some(Arc::new(budget));
        self
    }

    /// Once `signal` is closed there are no retries: a request that waits for one ends at once with
    /// [`Shutdown`](standpipe_core::ErrorKind::Shutdown), and one whose attempt ends gets that one's
    /// outcome. Attempts under way go on.
    #[must_use]
    pub fn closing(mut self, signal: Closing) -> Self {
        self.settings.closing = Some(signal);
        self
    }

    /// Goes on with the counts of the service that `handle` is of, and with its budget, where the
    /// policy of that is the same here and neither was [given](RetryLayer::budget) as an object. All
    /// else is as this layer says: so a stack is rebuilt with other settings.
    #[must_use]
    pub fn keep<D>(mut self, handle: &RetryHandle<D>) -> Self {
        self.settings.keep = Some(handle.shared.kept());
        self
    }

    /// Makes the jitter repeat from run to run.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Takes the time of day from `clock`; a `Retry-After` that is a date is held against it.
    #[must_use]
    pub fn wall_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.settings.clock = Some(Arc::new(clock));
        self
    }

    /// Shows each retry to `hook` before it waits.
    #[must_use]
    pub fn on_retry(mut self, hook: impl Fn(&RetryEvent<'_>) + Send + Sync + 'static) -> Self {
        self.settings.hooks.on_retry = Some(Arc::new(hook));
        self
    }

    /// Shows to `hook` each outcome that calls for another attempt and gets none.
    #[must_use]
    pub fn on_give_up(mut self, hook: impl Fn(&GiveUpEvent<'_>) + Send + Sync + 'static) -> Self {
        self.settings.hooks.on_give_up = Some(Arc::new(hook));
        self
    }

    /// Gives each attempt's head to `hook` just before it is sent, with the attempt's number counted
    /// from 0: to count attempts in a header, or to renew credentials that ran out during the wait.
    ///
    /// Each attempt begins with the head as the caller made it. An error from the hook ends the
    /// request with it, and with no attempt; the answer before it is gone by then. To end with the
    /// answer instead, [`judge`](RetryLayer::judge) is the place.
    #[must_use]
    pub fn before_attempt(
        mut self,
        hook: impl Fn(&mut Parts, u32) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.before_attempt = Some(Arc::new(hook));
        self
    }

    /// Gives requests whose method is not idempotent an `Idempotency-Key`, unless they have one: a
    /// new one from `make` for each request, the same on all of its attempts.
    ///
    /// The header is a structured field, so the value is to be in double quotes
    /// (draft-ietf-httpapi-idempotency-key-header).
    #[must_use]
    pub fn idempotency_key(
        mut self,
        make: impl Fn() -> HeaderValue + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.idempotency_key = Some(Arc::new(make));
        self
    }

    /// Asks `tell` whether the request was sent, for errors that hold no
    /// [`standpipe_core::Error`]. Unless set, it may have been.
    #[must_use]
    pub fn foreign_errors(
        mut self,
        tell: impl Fn(&BoxError) -> RequestSent + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.foreign_sent = Some(Arc::new(tell));
        self
    }
}

impl<S, C: Clone> Layer<S> for RetryLayer<C> {
    type Service = Retry<S, C>;

    fn layer(&self, inner: S) -> Retry<S, C> {
        Retry::new(inner, Arc::new(Shared::new(self.settings.clone())))
    }
}

/// Makes [`Retry`]s that share one budget; see [`RetryLayer::shared`].
#[derive(Debug)]
pub struct SharedRetryLayer<C = NoPeek>(RetryHandle<C>);

impl<C> Clone for SharedRetryLayer<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S, C> Layer<S> for SharedRetryLayer<C> {
    type Service = Retry<S, C>;

    fn layer(&self, inner: S) -> Retry<S, C> {
        Retry::new(inner, Arc::clone(&self.0.shared))
    }
}
