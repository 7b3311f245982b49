use std::any::Any;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use standpipe_core::BoxError;
use tokio::time::Instant;
use tower_service::Service;
use tracing::Span;

use crate::host::HostRecorder;
use crate::recorder::Scope;
use crate::watch::Watch;
use crate::{MetricsBody, Registry, ResponseFuture, span};

/// Counts what happens to requests; made by [`MetricsLayer`](crate::MetricsLayer) and
/// [`AttemptMetricsLayer`](crate::AttemptMetricsLayer).
///
/// It is ready when the inner service is, reserves nothing, and allocates nothing for a host it
/// knows.
///
/// # Errors
///
/// The inner service's, unchanged.
///
/// # Cancel safety
///
/// A request whose future is dropped before its end is counted as cancelled, once; a body that is
/// dropped before its end as abandoned, once.
///
/// # Clone
///
/// A clone counts in the same registry.
#[derive(Clone, Debug)]
pub struct Metrics<S> {
    inner: S,
    scope: Scope,
    registry: Registry,
    host: Option<HostRecorder>,
    on: bool,
}

impl<S> Metrics<S> {
    pub(crate) fn new(
        inner: S,
        scope: Scope,
        registry: Registry,
        host: Option<HostRecorder>,
        on: bool,
    ) -> Self {
        Self {
            inner,
            scope,
            registry,
            host,
            on,
        }
    }

    /// The registry that it counts in.
    pub fn registry(&self) -> &Registry {
        &self.registry
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

    fn watch<B: Body>(&self, request: &Request<B>) -> Watch {
        let host = match &self.host {
            Some(host) => host.handle(),
            None => self.registry.find(request.uri()),
        };
        Watch::start(
            host,
            self.scope,
            request.method(),
            request.extensions().get().copied(),
            request.body().size_hint().exact(),
            Instant::now(),
        )
    }
}

impl<S, B, R> Service<Request<B>> for Metrics<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Body,
    R: Body + Any,
{
    type Response = Response<MetricsBody<R>>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !self.on {
            return ResponseFuture::unwatched(self.inner.call(request));
        }
        let watch = self.watch(&request);
        let span = match self.scope {
            Scope::Request => Span::none(),
            Scope::Attempt => span::of_attempt(&request, self.registry.secret_keys()),
        };
        let inner = {
            let _entered = span.enter();
            self.inner.call(request)
        };
        ResponseFuture::new(inner, watch, span)
    }
}
