//! What is tried again, and who is told.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::request::Parts;
use standpipe_core::BoxError;
use standpipe_retry::{BudgetPolicy, GiveUpEvent, Peeked, RetryEvent, RetryPolicy, Verdict};

use super::PoolBuilder;

/// Setters of what a policy has too: the later of both holds.
macro_rules! setters {
    ($($name:ident: $ty:ty => $of_policy:ident),* $(,)?) => {$(
        #[doc = concat!("Sets [`PoolConfig::", stringify!($name), "`](crate::PoolConfig::", stringify!($name), ").")]
        ///
        /// Where a [policy](PoolBuilder::retry_policy) was given, it is set there too.
        #[must_use]
        pub fn $name(mut self, $name: $ty) -> Self {
            let policy = self.settings.retry.take();
            self.settings.retry = policy.map(|policy| policy.$of_policy($name.clone()));
            self.settings.config.$name = $name;
            self
        }
    )*};
}

impl<O, H, T> PoolBuilder<O, H, T> {
    setters! {
        max_retries: u32 => max_retries,
        retry_statuses: Vec<u16> => statuses,
        max_retry_after: Duration => max_retry_after,
        retry_budget: Option<BudgetPolicy> => budget,
        replay_cap: usize => replay_cap,
    }

    /// Sets what is retried, how often and when, in place of the config's settings of retries, which then
    /// have no effect. What this builder sets later of them holds, where the policy has a setting of that
    /// name: all but the delays, the multiplier and the jitter, which are the policy's
    /// [`backoff`](RetryPolicy::backoff).
    #[must_use]
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = Some(policy);
        self
    }

    /// One attempt and no more, for each request: as [`max_retries(0)`](PoolBuilder::max_retries), in
    /// place of a [policy](PoolBuilder::retry_policy) too. A host or a request may say otherwise, and so
    /// does what is set later: [`max_retries`](PoolBuilder::max_retries), a policy, a
    /// [`config`](PoolBuilder::config).
    #[must_use]
    pub fn without_retry(mut self) -> Self {
        self.settings.retry = None;
        self.max_retries(0)
    }

    /// Shows each retry to `hook` before it waits. A second call replaces the hook; so do those of
    /// all hooks here.
    ///
    /// # Panics
    ///
    /// A panic of the hook goes through the request's future.
    #[must_use]
    pub fn on_retry(mut self, hook: impl Fn(&RetryEvent<'_>) + Send + Sync + 'static) -> Self {
        self.settings.hooks.on_retry = Some(Arc::new(hook));
        self
    }

    /// Shows to `hook` each outcome that calls for another attempt and gets none.
    ///
    /// # Panics
    ///
    /// A panic of the hook goes through the request's future.
    #[must_use]
    pub fn on_give_up(mut self, hook: impl Fn(&GiveUpEvent<'_>) + Send + Sync + 'static) -> Self {
        self.settings.hooks.on_give_up = Some(Arc::new(hook));
        self
    }

    /// Asks `classify` about the answers of status 4xx that would be tried again, and takes those as final
    /// of which it says so; it is shown the beginning of the body, which the caller gets as a whole. With
    /// [`provider_errors`](crate::PoolConfig::provider_errors) each of both may say so.
    ///
    /// ```
    /// use standpipe::{Pool, Verdict};
    ///
    /// let builder = Pool::builder().classify_errors(|answer| {
    ///     match answer.body.starts_with(b"quota exhausted") {
    ///         true => Verdict::Final,
    ///         false => Verdict::Retry,
    ///     }
    /// });
    /// # drop(builder);
    /// ```
    ///
    /// # Panics
    ///
    /// A panic of the function goes through the request's future.
    #[must_use]
    pub fn classify_errors(
        mut self,
        classify: impl Fn(&Peeked<'_>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.classify = Some(Arc::new(classify));
        self
    }

    /// Gives each attempt's head to `hook` just before it is sent, with the attempt's number counted
    /// from 0: to renew credentials that ran out during the wait, for one. Each attempt begins with
    /// the head as the caller and the default headers made it. An error from the hook ends the
    /// request with it.
    ///
    /// # Panics
    ///
    /// A panic of the hook goes through the request's future, or its call.
    #[must_use]
    pub fn before_attempt(
        mut self,
        hook: impl Fn(&mut Parts, u32) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.before_attempt = Some(Arc::new(hook));
        self
    }

    /// Gives requests whose method is not idempotent an `Idempotency-Key`, unless they have one: a
    /// new one from `make` for each request, the same on all of its attempts and on each hop of a
    /// redirect that keeps the method. They are then sent again where they may have arrived: only for
    /// servers that know the header.
    ///
    /// They have it whether or not they may be tried again, and whatever stands in the place of the
    /// retry.
    ///
    /// # Panics
    ///
    /// A panic of the function goes through the request's future, or its call.
    #[must_use]
    pub fn idempotency_key(
        mut self,
        make: impl Fn() -> HeaderValue + Send + Sync + 'static,
    ) -> Self {
        self.settings.hooks.idempotency_key = Some(Arc::new(make));
        self
    }
}
