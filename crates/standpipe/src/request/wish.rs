use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use standpipe_retry::{RequestRetry, RetryEvent, RetryPolicy};

use super::times::Times;

type OnRetry = dyn Fn(&RetryEvent<'_>) + Send + Sync;

/// What a request wants of the layers below, as far as it was said by now.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    pub(super) retry: RetryWish,
    pub(super) times: Times,
    /// Headers for when it does not set them.
    pub(super) defaults: Option<Arc<HeaderMap>>,
}

/// What it wants of the retry.
#[derive(Clone, Default)]
pub(super) struct RetryWish {
    pub(super) off: bool,
    pub(super) policy: Option<RetryPolicy>,
    pub(super) on_retry: Option<Arc<OnRetry>>,
}

impl Wish {
    /// The wishes for the retry, for the layer that reads them; none where there are none.
    pub(super) fn retry(&self) -> Option<RequestRetry> {
        let RetryWish {
            off,
            policy,
            on_retry,
        } = &self.retry;
        if !off && policy.is_none() && on_retry.is_none() {
            return None;
        }
        let wish = match policy {
            _ if *off => RequestRetry::off(),
            Some(policy) => RequestRetry::policy(policy.clone()),
            None => RequestRetry::new(),
        };
        Some(match on_retry.clone() {
            Some(hook) => wish.on_retry(move |retry| hook(retry)),
            None => wish,
        })
    }
}

impl fmt::Debug for RetryWish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryWish")
            .field("off", &self.off)
            .field("policy", &self.policy)
            .field("on_retry", &self.on_retry.is_some())
            .finish()
    }
}
