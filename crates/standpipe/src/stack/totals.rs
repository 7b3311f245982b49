use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use standpipe_core::Origin;
use standpipe_timeout::RequestTimeout;
use tower_service::Service;

use super::settings::HostSettings;

/// Gives requests to hosts with a total timeout of their own that timeout, unless they bring one.
///
/// It stands above the layer that holds the pool's total, as that one runs across redirects.
#[derive(Clone, Debug)]
pub struct HostTotals<S> {
    inner: S,
    settings: Arc<HostSettings>,
}

impl<S> HostTotals<S> {
    pub(crate) fn new(inner: S, settings: Arc<HostSettings>) -> Self {
        Self { inner, settings }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    #[cold]
    fn set<B>(&self, mut request: Request<B>) -> Request<B> {
        if request.extensions().get::<RequestTimeout>().is_some() {
            return request;
        }
        // A URL without an origin is refused below.
        if let Ok(origin) = Origin::of_uri(request.uri()) {
            let timeout = self.settings.table().of(&origin).timeout();
            request.extensions_mut().insert(timeout);
        }
        request
    }
}

impl<S, B> Service<Request<B>> for HostTotals<S>
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
        if self.settings.has_totals() {
            return self.inner.call(self.set(request));
        }
        self.inner.call(request)
    }
}
