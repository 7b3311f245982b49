use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http::response::Parts;
use http_body::Body;
use pin_project_lite::pin_project;
use standpipe_core::{Body as CoreBody, BoxError, ConnectionInfo};
use tokio::time::Instant;
use tracing::Span;

use crate::label::ErrorType;
use crate::watch::Watch;
use crate::{MetricsBody, span};

pin_project! {
    /// The call of a [`Metrics`](crate::Metrics), up to the response head.
    ///
    /// An attempt's span is entered while the inner call is polled, and ends with this future.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is ready drops the inner call and counts the request as cancelled.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        watch: Watch,
        // In a box, since it is moved with each response and seldom there.
        span: Option<Box<Span>>,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(span) = this.span
                && this.watch.is_on()
            {
                span::failed(span, ErrorType::CANCELLED);
            }
        }
    }
}

impl<F> ResponseFuture<F> {
    #[inline]
    pub(crate) fn new(inner: F, watch: Watch, span: Option<Box<Span>>) -> Self {
        Self { inner, watch, span }
    }

    pub(crate) fn unwatched(inner: F) -> Self {
        Self {
            inner,
            watch: Watch::none(),
            span: None,
        }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
    R: Body + Any,
{
    type Output = Result<Response<MetricsBody<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = match this.span {
            None => this.inner.poll(cx),
            Some(span) => poll_in(span, this.inner, cx),
        };
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(response)) => {
                let (head, body) = response.into_parts();
                let goes_on = this.watch.is_on() && at_head(this.watch, this.span, &head, &body);
                // In two places: to write that there is nothing to watch is less than to move what may
                // or may not be there.
                let body = match goes_on {
                    false => MetricsBody::unwatched(body),
                    true => MetricsBody::watched(body, this.watch.body()),
                };
                Poll::Ready(Ok(Response::from_parts(head, body)))
            }
            Poll::Ready(Err(error)) => {
                let error = error.into();
                failed(this.watch, this.span, &error);
                Poll::Ready(Err(error))
            }
        }
    }
}

/// Apart, so that the compiler does not put the inner call here twice where nobody wants spans.
#[inline(never)]
fn poll_in<F: Future>(span: &Span, inner: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
    span.in_scope(|| inner.poll(cx))
}

/// The span is over, though the future may be kept. Says whether the end of the body is yet to come.
#[inline(never)]
fn at_head<R: Body + Any>(
    watch: &mut Watch,
    span: &mut Option<Box<Span>>,
    head: &Parts,
    body: &R,
) -> bool {
    let now = Instant::now();
    if let Some(span) = span.take() {
        span::answered(&span, head);
    }
    let ours = ours(body);
    let connection = ours.and_then(CoreBody::connection_info);
    if connection.is_some_and(ConnectionInfo::reused) {
        watch.on_reused_connection();
    }
    let arrived = match ours.and_then(CoreBody::as_bytes) {
        Some(bytes) => Some(bytes.len() as u64),
        None => body.is_end_stream().then_some(0),
    };
    watch.head(head.status, arrived, now);
    arrived.is_none()
}

/// The body of this workspace that it is, maybe under another of these layers, which counts it too.
#[inline]
fn ours(body: &dyn Any) -> Option<&CoreBody> {
    let under = body.downcast_ref::<MetricsBody<CoreBody>>();
    let under = under.map(MetricsBody::get_ref);
    under.or_else(|| body.downcast_ref())
}

#[cold]
fn failed(watch: &mut Watch, span: &mut Option<Box<Span>>, error: &BoxError) {
    let kind = ErrorType::of(error);
    if let Some(span) = span.take() {
        span::failed(&span, kind);
    }
    watch.fail(kind, Instant::now());
}
