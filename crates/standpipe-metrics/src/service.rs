use std::any::Any;
use std::sync::Arc;
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
    counting: Arc<Counting>,
}

/// What all clones of a service share: behind one reference count, since a stack may be cloned for each
/// request.
#[derive(Debug)]
pub(crate) struct Counting {
    pub(crate) scope: Scope,
    pub(crate) registry: Registry,
    /// None where the URL tells it.
    pub(crate) host: Option<HostRecorder>,
    pub(crate) on: bool,
}

impl<S> Metrics<S> {
    pub(crate) fn new(inner: S, counting: Counting) -> Self {
        let counting = Arc::new(counting);
        Self { inner, counting }
    }

    /// The registry that it counts in.
    pub fn registry(&self) -> &Registry {
        &self.counting.registry
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

impl Counting {
    #[inline]
    fn watch<B: Body>(&self, request: &Request<B>) -> Watch {
        let now = Instant::now();
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
            now,
        )
    }

    /// None where nobody wants it.
    #[inline]
    fn span<B>(&self, request: &Request<B>) -> Option<Box<Span>> {
        if self.scope == Scope::Request || !span::may_be_wanted() {
            return None;
        }
        let span = span::of_attempt(request, self.registry.secret_keys());
        (!span.is_none()).then(|| Box::new(span))
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

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !self.counting.on {
            return ResponseFuture::unwatched(self.inner.call(request));
        }
        let watch = self.counting.watch(&request);
        let span = self.counting.span(&request);
        let inner = match &span {
            None => self.inner.call(request),
            Some(span) => call_in(span, &mut self.inner, request),
        };
        ResponseFuture::new(inner, watch, span)
    }
}

/// Apart, so that the compiler does not put the inner call here twice where nobody wants spans.
#[inline(never)]
fn call_in<S: Service<R>, R>(span: &Span, inner: &mut S, request: R) -> S::Future {
    span.in_scope(|| inner.call(request))
}
