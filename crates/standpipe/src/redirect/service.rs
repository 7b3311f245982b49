use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use standpipe_core::{BoxError, Replay};
use tower_http::follow_redirect::FollowRedirect;
use tower_service::Service;

use super::RedirectFuture;
use super::hops::Hops;
use super::rules::Rules;

/// Follows redirects; made by [`RedirectLayer`](super::RedirectLayer).
///
/// A 301 or 302 that answers a POST, and a 303 that answers anything but a HEAD, is followed by a GET
/// without a body, the headers that tell of it and an `Idempotency-Key`; any other of 301, 302, 307 and 308 by the same
/// method with the same body. A relative `Location` is taken as RFC 3986 has it, an empty one too: it
/// is the same URL again.
///
/// What cannot be followed is the caller's answer as it came: a `Location` that is missing, or leads to
/// no URL of http or https; a body that can be sent only once (see [`Replay`]).
///
/// The body of a redirect is dropped unread. Over [`Transport`](crate::Transport) its connection is
/// kept where all of it has arrived, as it has with a redirect's few bytes, and closed otherwise.
///
/// # Errors
///
/// Of the kind [`TooManyRedirects`](standpipe_core::ErrorKind::TooManyRedirects) beyond the limit, and
/// [`Redirect`](standpipe_core::ErrorKind::Redirect) where a redirect leads from https to http, or to
/// a URL with userinfo or a host that cannot be. Their source is the [`RedirectChain`](super::RedirectChain).
/// The inner service's errors pass unchanged.
///
/// # Clone
///
/// A clone follows the same rules; there is no state to share.
#[derive(Clone, Debug)]
pub struct Redirect<S> {
    way: Way<S>,
}

#[derive(Clone, Debug)]
enum Way<S> {
    On(FollowRedirect<S, Hops>),
    Off(S),
}

impl<S> Redirect<S> {
    pub(super) fn new(inner: S, rules: Option<&Arc<Rules>>) -> Self {
        let way = match rules {
            Some(rules) => {
                let hops = Hops::new(Arc::clone(rules));
                Way::On(FollowRedirect::with_policy(inner, hops))
            }
            None => Way::Off(inner),
        };
        Self { way }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        match &self.way {
            Way::On(follow) => follow.get_ref(),
            Way::Off(inner) => inner,
        }
    }
}

impl<S, B, R> Service<Request<B>> for Redirect<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = BoxError> + Clone,
    B: Body + Default + Replay + 'static,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = RedirectFuture<S, B>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match &mut self.way {
            Way::On(follow) => follow.poll_ready(cx),
            Way::Off(inner) => inner.poll_ready(cx),
        }
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        match &mut self.way {
            Way::On(follow) => RedirectFuture::on(follow.call(request)),
            Way::Off(inner) => RedirectFuture::off(inner.call(request)),
        }
    }
}
