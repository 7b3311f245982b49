use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderName, Request};
use tower_service::Service;

use super::hooks::MakeKey;

/// The header by which a server knows a request that it is sent again
/// (draft-ietf-httpapi-idempotency-key-header).
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Headers that hold such a key.
pub(crate) const KEYS: [HeaderName; 2] = [
    IDEMPOTENCY_KEY,
    HeaderName::from_static("x-idempotency-key"),
];

/// Gives requests whose method is not idempotent an `Idempotency-Key`, unless they have one.
///
/// It stands above redirects and retries: all that is sent of one request has the same key.
#[derive(Clone)]
pub struct IdempotencyKeys<S> {
    inner: S,
    make: Option<Arc<MakeKey>>,
}

impl<S> IdempotencyKeys<S> {
    pub(crate) fn new(inner: S, make: Option<Arc<MakeKey>>) -> Self {
        Self { inner, make }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S, B> Service<Request<B>> for IdempotencyKeys<S>
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
        if let Some(make) = &self.make {
            return self.inner.call(keyed(request, make));
        }
        self.inner.call(request)
    }
}

fn keyed<B>(mut request: Request<B>, make: &Arc<MakeKey>) -> Request<B> {
    let has_one = || KEYS.iter().any(|name| request.headers().contains_key(name));
    if !request.method().is_idempotent() && !has_one() {
        request.headers_mut().insert(IDEMPOTENCY_KEY, make());
    }
    request
}

impl<S: std::fmt::Debug> std::fmt::Debug for IdempotencyKeys<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdempotencyKeys")
            .field("inner", &self.inner)
            .field("make", &self.make.is_some())
            .finish()
    }
}
