use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, Request};
use tower_layer::Layer;
use tower_service::Service;

/// Makes [`DefaultHeaders`].
#[derive(Clone)]
pub struct DefaultHeadersLayer {
    headers: Option<Arc<HeaderMap>>,
}

impl DefaultHeadersLayer {
    /// Adds `headers` to requests that do not set them.
    pub fn new(headers: Arc<HeaderMap>) -> Self {
        Self {
            headers: (!headers.is_empty()).then_some(headers),
        }
    }
}

impl<S> Layer<S> for DefaultHeadersLayer {
    type Service = DefaultHeaders<S>;

    fn layer(&self, inner: S) -> DefaultHeaders<S> {
        DefaultHeaders {
            inner,
            headers: self.headers.clone(),
        }
    }
}

/// Adds headers to requests that do not set them; a header that a request has, with whatever
/// values, stays as it is.
#[derive(Clone)]
pub struct DefaultHeaders<S> {
    inner: S,
    headers: Option<Arc<HeaderMap>>,
}

impl<S> DefaultHeaders<S> {
    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S, B> Service<Request<B>> for DefaultHeaders<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(defaults) = &self.headers {
            fill_in(defaults, request.headers_mut());
        }
        self.inner.call(request)
    }
}

/// Adds those of `defaults` whose names `headers` does not have.
pub(crate) fn fill_in(defaults: &HeaderMap, headers: &mut HeaderMap) {
    for name in defaults.keys() {
        if !headers.contains_key(name) {
            for value in defaults.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
    }
}

/// The names of headers: their values may be secrets.
pub(super) fn names(headers: Option<&Arc<HeaderMap>>) -> Vec<&HeaderName> {
    headers.map_or_else(Vec::new, |headers| headers.keys().collect())
}

impl fmt::Debug for DefaultHeadersLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultHeadersLayer")
            .field("headers", &names(self.headers.as_ref()))
            .finish()
    }
}

impl<S: fmt::Debug> fmt::Debug for DefaultHeaders<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultHeaders")
            .field("inner", &self.inner)
            .field("headers", &names(self.headers.as_ref()))
            .finish()
    }
}
