//! What is done to the head of a request.

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use standpipe_core::BoxError;

use crate::hooks::BeforeAttempt;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const X_IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("x-idempotency-key");

/// The request with its head as the user's hook wants it.
#[cold]
pub(crate) fn prepared<B>(
    request: Request<B>,
    hook: &BeforeAttempt,
    number: u32,
) -> Result<Request<B>, BoxError> {
    let (mut parts, body) = request.into_parts();
    hook(&mut parts, number)?;
    Ok(Request::from_parts(parts, body))
}

/// Gives `request` a key, where its method needs one and it has none.
pub(crate) fn give_key<B>(request: &mut Request<B>, make: &dyn Fn() -> HeaderValue) {
    if !request.method().is_idempotent() && !is_keyed(request.headers()) {
        let key = make();
        request.headers_mut().insert(IDEMPOTENCY_KEY, key);
    }
}

fn is_keyed(headers: &HeaderMap) -> bool {
    headers.keys().any(names_key)
}

/// Whether the header `name` holds a key by which a request may be sent twice.
pub(crate) fn names_key(name: &HeaderName) -> bool {
    *name == IDEMPOTENCY_KEY || *name == X_IDEMPOTENCY_KEY
}
