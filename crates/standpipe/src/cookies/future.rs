use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::SET_COOKIE;
use http::{Response, Uri};
use pin_project_lite::pin_project;

use super::CookieJar;

pin_project! {
    /// The call of a [`Cookies`](super::Cookies).
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the inner call; cookies are kept when the response head has come.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct CookiesFuture<F> {
        #[pin]
        inner: F,
        keep: Option<(CookieJar, Uri)>,
    }
}

impl<F> CookiesFuture<F> {
    #[inline]
    pub(super) fn new(inner: F, keep: Option<(CookieJar, Uri)>) -> Self {
        Self { inner, keep }
    }
}

impl<F, R, E> Future for CookiesFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx));
        if let (Ok(response), Some((jar, uri))) = (&answer, &*this.keep)
            && response.headers().contains_key(SET_COOKIE)
        {
            jar.keep(uri, response.headers());
        }
        Poll::Ready(answer)
    }
}
