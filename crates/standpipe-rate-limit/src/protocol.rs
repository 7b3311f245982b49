use http::{Extensions, HeaderMap, Request, Response, StatusCode};
use standpipe_core::Deadline;

/// What the limiter has to know of requests and answers. [`Http`] is the default; [`AnyRequest`]
/// knows nothing and so fits all.
pub trait Protocol<Req, Res> {
    /// Until when the request has to be done: it never waits longer.
    fn deadline(&self, request: &Req) -> Option<Deadline>;

    /// The head of an answer, in which the server may speak of its limits.
    fn head<'a>(&self, response: &'a Res) -> Option<(StatusCode, &'a HeaderMap)>;

    /// Where the answer carries its [`Settle`](crate::Settle).
    fn extensions<'a>(&self, response: &'a mut Res) -> Option<&'a mut Extensions>;
}

/// Requests and responses of the `http` crate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Http;

impl<B: 'static, R> Protocol<Request<B>, Response<R>> for Http {
    #[inline]
    fn deadline(&self, request: &Request<B>) -> Option<Deadline> {
        Deadline::of(request)
    }

    #[inline]
    fn head<'a>(&self, response: &'a Response<R>) -> Option<(StatusCode, &'a HeaderMap)> {
        Some((response.status(), response.headers()))
    }

    #[inline]
    fn extensions<'a>(&self, response: &'a mut Response<R>) -> Option<&'a mut Extensions> {
        Some(response.extensions_mut())
    }
}

/// Requests of any kind: without a deadline, and answers that say nothing of limits.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyRequest;

impl<Req, Res> Protocol<Req, Res> for AnyRequest {
    #[inline]
    fn deadline(&self, _: &Req) -> Option<Deadline> {
        None
    }

    #[inline]
    fn head<'a>(&self, _: &'a Res) -> Option<(StatusCode, &'a HeaderMap)> {
        None
    }

    #[inline]
    fn extensions<'a>(&self, _: &'a mut Res) -> Option<&'a mut Extensions> {
        None
    }
}
