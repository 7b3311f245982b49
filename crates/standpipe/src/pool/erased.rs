//! The one box: the stack's future, behind a stack whose type is forgotten.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body as _;
use standpipe_core::oneshot::Oneshot;
use standpipe_core::{Body, Error};
use standpipe_metrics::MetricsBody;
use standpipe_timeout::TimeoutBody;

use crate::stack::Stack;

pub(super) type BoxFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

pub(super) trait Erased: Send + Sync {
    fn call(&self, request: Request<Body>) -> BoxFuture;
}

type StackBody = MetricsBody<TimeoutBody<MetricsBody<Body>>>;

impl Erased for Stack {
    fn call(&self, request: Request<Body>) -> BoxFuture {
        Box::pin(Calling {
            inner: Oneshot::new(self.clone(), request),
        })
    }
}

pin_project_lite::pin_project! {
    struct Calling {
        #[pin]
        inner: Oneshot<Stack, Request<Body>>,
    }
}

impl Future for Calling {
    type Output = Result<Response<Body>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.project().inner.poll(cx));
        Poll::Ready(match answer {
            Ok(response) => Ok(response.map(erase_body)),
            Err(error) => Err(Error::from_boxed(error)),
        })
    }
}

/// A body that is there already needs no clock, no count and no box.
fn erase_body(body: StackBody) -> Body {
    let inner = body.get_ref().get_ref().get_ref();
    let arrived = match inner.as_bytes() {
        Some(bytes) => Some(bytes.len() as u64),
        None => inner.is_end_stream().then_some(0),
    };
    if let Some(bytes) = arrived {
        return body.into_arrived(bytes).into_inner().into_arrived(bytes);
    }
    let connection = inner.connection_info().cloned();
    let mut erased = Body::new(body);
    erased.set_connection_info(connection);
    erased
}
