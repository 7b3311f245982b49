use std::task::{Context, Poll};

use http::header::COOKIE;
use http::{Request, Response};
use tower_service::Service;

use super::{CookieJar, CookiesFuture};

/// Sends the cookies of a [`CookieJar`] and keeps those that answers set; made by
/// [`CookieLayer`](super::CookieLayer).
///
/// A request that has a `Cookie` header goes as it is; what its answer sets is kept nonetheless.
///
/// # Errors
///
/// The inner service's pass unchanged. A `Set-Cookie` that may not be kept is left out.
///
/// # Clone
///
/// A clone uses the same jar.
#[derive(Clone, Debug)]
pub struct Cookies<S> {
    inner: S,
    jar: Option<CookieJar>,
}

impl<S> Cookies<S> {
    pub(super) fn new(inner: S, jar: Option<CookieJar>) -> Self {
        Self { inner, jar }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The jar; none where the layer is off.
    pub fn jar(&self) -> Option<&CookieJar> {
        self.jar.as_ref()
    }
}

impl<S, B, R> Service<Request<B>> for Cookies<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = CookiesFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(jar) = &self.jar else {
            return CookiesFuture::new(self.inner.call(request), None);
        };
        if !request.headers().contains_key(COOKIE)
            && let Some(cookies) = jar.of(request.uri())
        {
            request.headers_mut().insert(COOKIE, cookies);
        }
        let keep = (jar.clone(), request.uri().clone());
        CookiesFuture::new(self.inner.call(request), Some(keep))
    }
}
