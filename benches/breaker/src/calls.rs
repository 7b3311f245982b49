use std::future::{Ready, poll_fn, ready};
use std::hint::black_box;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use http_body_util::Empty;
use tower_service::Service;

/// Any error; a benchmark stops at the first one that it does not expect.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

pub(crate) type Req = Request<Empty<Bytes>>;
pub(crate) type Res = Response<Empty<Bytes>>;

/// Ready at once, and answers at once: `DELETE` with an error, anything else with an empty 200.
#[derive(Clone, Debug)]
pub(crate) struct Instant;

impl Service<Req> for Instant {
    type Response = Res;
    type Error = BoxError;
    type Future = Ready<Result<Res, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        ready(match *request.method() {
            Method::DELETE => Err("broken".into()),
            _ => Ok(Response::new(Empty::new())),
        })
    }
}

/// Makes calls as a service does, without the copies of the request that an async block makes.
pub(crate) trait Caller {
    type Error;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;

    fn call(&mut self, request: Req) -> impl Future<Output = Result<Res, Self::Error>>;
}

/// Any breaker that is a tower service.
pub(crate) struct Tower<S>(pub(crate) S);

impl<S: Service<Req, Response = Res>> Caller for Tower<S> {
    type Error = S::Error;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> impl Future<Output = Result<Res, S::Error>> {
        self.0.call(request)
    }
}

/// One call after the other by `caller`. With `open` its breaker is opened first, and each call is
/// to be refused.
pub(crate) async fn drive(
    mut caller: impl Caller,
    open: bool,
    calls: u64,
    measure: impl Fn() -> u64,
) -> Result<u64, BoxError> {
    let uri = Uri::from_static("http://api.example.com/path/to/a/resource");
    if open {
        for _ in 0..10 {
            let mut request = request(&uri);
            *request.method_mut() = Method::DELETE;
            if poll_fn(|cx| caller.poll_ready(cx)).await.is_ok() {
                let _ = caller.call(request).await;
            }
        }
    }
    let begin = measure();
    for _ in 0..calls {
        // Some breakers refuse by their readiness.
        let passed = match poll_fn(|cx| caller.poll_ready(cx)).await {
            Ok(()) => black_box(&caller.call(request(black_box(&uri))).await).is_ok(),
            Err(_) => false,
        };
        if passed == open {
            return Err("the breaker is not in the state it should be".into());
        }
    }
    Ok(measure() - begin)
}

#[inline]
fn request(uri: &Uri) -> Req {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = uri.clone();
    request
}
