use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, Request};
use standpipe_rate_limit::{ConcurrencyHandle, Handle as LimitHandle};
use standpipe_retry::{Peek, RetryHandle};
use tower_service::Service;

use super::circuit::Circuit;
use super::default_headers::{fill_in, names};

/// What is looked at in a host's stack beside the requests that go through it, and what of it goes
/// on when the stack is made anew.
#[derive(Default)]
pub(crate) struct HostParts {
    pub(super) headers: Option<Arc<HeaderMap>>,
    pub(crate) circuit: Option<Circuit>,
    pub(crate) limit: Option<LimitHandle>,
    pub(super) concurrency: Option<ConcurrencyHandle>,
    pub(super) limits_concurrency: bool,
    pub(crate) retry: Option<RetryHandle<Peek>>,
}

impl HostParts {
    pub(super) fn with_headers(headers: Option<Arc<HeaderMap>>) -> Self {
        Self {
            headers,
            ..Self::default()
        }
    }

    /// The limit on requests under way, where it is on.
    pub(crate) fn concurrency(&self) -> Option<&ConcurrencyHandle> {
        self.concurrency
            .as_ref()
            .filter(|_| self.limits_concurrency)
    }

    /// Whether there was such a limit, which is kept while it is off.
    pub(super) fn concurrency_is_off(&self) -> bool {
        self.concurrency.is_some() && !self.limits_concurrency
    }
}

/// The stack of one host: gives requests the host's default headers, and hands them on.
///
/// A header that a request has, with whatever values, stays as it is.
#[derive(Clone, Debug)]
pub struct HostService<S> {
    inner: S,
    parts: Arc<HostParts>,
}

impl<S> HostService<S> {
    pub(super) fn new(inner: S, parts: HostParts) -> Self {
        Self {
            inner,
            parts: Arc::new(parts),
        }
    }

    /// The stack below the headers.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    pub(crate) fn parts(&self) -> &Arc<HostParts> {
        &self.parts
    }
}

impl<S, B> Service<Request<B>> for HostService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> S::Future {
        // A request that is not lent out is handed on without a copy.
        if let Some(defaults) = &self.parts.headers {
            return self.inner.call(filled_in(defaults, request));
        }
        self.inner.call(request)
    }
}

fn filled_in<B>(defaults: &HeaderMap, mut request: Request<B>) -> Request<B> {
    fill_in(defaults, request.headers_mut());
    request
}

/// The default headers without their values: they may be secrets.
impl fmt::Debug for HostParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostParts")
            .field("headers", &names(self.headers.as_ref()))
            .field("circuit", &self.circuit)
            .field("limit", &self.limit)
            .field("concurrency", &self.concurrency())
            .finish_non_exhaustive()
    }
}
