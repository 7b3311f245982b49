use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use standpipe_core::{BoxError, Replay};
use tower_service::Service;

use crate::again::Again;
use crate::head::{give_key, prepared};
use crate::shared::Shared;
use crate::{NoPeek, Peeker, RequestRetry, ResponseFuture, RetryPolicy, RetryStats};

/// Tries requests again, as the crate's page says; made by [`RetryLayer`](crate::RetryLayer).
///
/// It is ready when the inner service is, and reserves nothing. It changes neither the type of the
/// request nor that of the response. Before each further attempt the inner service is waited for
/// until it is ready.
///
/// # Errors
///
/// Those of the last attempt as [`standpipe_core::Error`], with
/// [`RetryInfo`](standpipe_core::RetryInfo). One of a foreign type is of kind
/// [`Other`](standpipe_core::ErrorKind::Other), with the foreign one as its source.
///
/// # Panics
///
/// A request that has to wait panics when polled outside a tokio runtime with its timers enabled.
///
/// # Clone
///
/// Clones share the settings, the budget and the counts.
pub struct Retry<S, C = NoPeek> {
    inner: S,
    shared: Arc<Shared<C>>,
}

/// A view on a [`Retry`] and all its clones.
///
/// # Clone
///
/// All clones are of the same.
pub struct RetryHandle<C = NoPeek> {
    pub(crate) shared: Arc<Shared<C>>,
}

impl<S, C> Retry<S, C> {
    pub(crate) fn new(inner: S, shared: Arc<Shared<C>>) -> Self {
        Self { inner, shared }
    }

    /// A handle, to be kept when the service is given away.
    pub fn handle(&self) -> RetryHandle<C> {
        RetryHandle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service, to change.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Gives the inner service back.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<C> RetryHandle<C> {
    /// What has been done so far.
    pub fn stats(&self) -> RetryStats {
        self.shared.counts.snapshot()
    }

    /// The policy that holds for requests which bring none.
    pub fn policy(&self) -> &RetryPolicy {
        &self.shared.settings.policy
    }
}

impl<S, B, R, C> Service<Request<B>> for Retry<S, C>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: Replay + 'static,
    R: Body,
    C: Peeker<R>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B, R, C>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let settings = &self.shared.settings;
        self.shared.budget.deposit();
        let wish = RequestRetry::of(request.extensions());
        let policy = wish
            .and_then(RequestRetry::own_policy)
            .unwrap_or(&settings.policy);
        let again = if policy.max_retries == 0 || wish.is_some_and(RequestRetry::is_off) {
            None
        } else {
            let cap = policy.replay_cap;
            if let Some(make) = &settings.hooks.idempotency_key {
                give_key(&mut request, make.as_ref());
            }
            Again::of(&mut request, cap, &self.inner, &self.shared)
        };
        if let Some(hook) = &settings.hooks.before_attempt {
            return match prepared(request, hook, 0) {
                Ok(request) => ResponseFuture::new(self.inner.call(request), again),
                Err(error) => ResponseFuture::refused(error),
            };
        }
        ResponseFuture::new(self.inner.call(request), again)
    }
}

impl<S: Clone, C> Clone for Retry<S, C> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), Arc::clone(&self.shared))
    }
}

impl<C> Clone for RetryHandle<C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: fmt::Debug, C> fmt::Debug for Retry<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("inner", &self.inner)
            .field("shared", &self.shared)
            .finish()
    }
}

impl<C> fmt::Debug for RetryHandle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryHandle")
            .field("shared", &self.shared)
            .finish()
    }
}
