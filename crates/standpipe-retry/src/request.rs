use std::fmt;
use std::sync::Arc;

use http::Extensions;

use crate::hooks::OnRetry;
use crate::{RetryEvent, RetryPolicy};

/// What one request wants of the retry above it; to be put into its extensions.
///
/// ```
/// use standpipe_retry::{RequestRetry, RetryPolicy};
///
/// let mut request = http::Request::new(());
/// let wish = RequestRetry::policy(RetryPolicy::new().max_retries(1))
///     .on_retry(|retry| println!("attempt {} failed", retry.attempts()));
/// request.extensions_mut().insert(wish);
/// ```
///
/// # Clone
///
/// Cheap: the policy and the hook are shared.
#[derive(Clone, Default)]
pub struct RequestRetry {
    policy: Option<Arc<RetryPolicy>>,
    on_retry: Option<OnRetry>,
    off: bool,
}

impl RequestRetry {
    /// Wishes nothing else than the layer does.
    pub fn new() -> Self {
        Self::default()
    }

    /// One attempt and no more.
    pub fn off() -> Self {
        Self {
            off: true,
            ..Self::default()
        }
    }

    /// `policy` in place of the layer's, and of its backoff. The budget stays the layer's.
    pub fn policy(policy: RetryPolicy) -> Self {
        Self {
            policy: Some(Arc::new(policy)),
            ..Self::default()
        }
    }

    /// The same with a hook that sees each retry of this request before it waits, after the layer's.
    #[must_use]
    pub fn on_retry(mut self, hook: impl Fn(&RetryEvent<'_>) + Send + Sync + 'static) -> Self {
        self.on_retry = Some(Arc::new(hook));
        self
    }

    /// Whether there is to be one attempt and no more.
    pub fn is_off(&self) -> bool {
        self.off
    }

    pub(crate) fn own_policy(&self) -> Option<&RetryPolicy> {
        self.policy.as_deref()
    }

    pub(crate) fn hook(&self) -> Option<&OnRetry> {
        self.on_retry.as_ref()
    }

    /// What a request with these `extensions` wishes. Nearly always there are none.
    #[inline]
    pub(crate) fn of(extensions: &Extensions) -> Option<&Self> {
        if extensions.is_empty() {
            return None;
        }
        extensions.get()
    }
}

impl fmt::Debug for RequestRetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestRetry")
            .field("policy", &self.policy)
            .field("on_retry", &self.on_retry.is_some())
            .field("off", &self.off)
            .finish()
    }
}
