use std::fmt;
use std::sync::Arc;

use standpipe_retry::{RequestRetry, RetryEvent, RetryPolicy};

type OnRetry = dyn Fn(&RetryEvent<'_>) + Send + Sync;

/// What a request wants of the retry, as far as it was said by now.
#[derive(Clone, Default)]
pub(super) struct Wish {
    pub(super) off: bool,
    pub(super) policy: Option<RetryPolicy>,
    pub(super) on_retry: Option<Arc<OnRetry>>,
}

impl Wish {
    /// The same for the layer that reads it.
    pub(super) fn extension(&self) -> RequestRetry {
        let wish = match &self.policy {
            _ if self.off => RequestRetry::off(),
            Some(policy) => RequestRetry::policy(policy.clone()),
            None => RequestRetry::new(),
        };
        match self.on_retry.clone() {
            Some(hook) => wish.on_retry(move |retry| hook(retry)),
            None => wish,
        }
    }
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.extension().fmt(f)
    }
}
