use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use standpipe_core::{Body as CoreBody, BoxError, ConnectionInfo};
use tokio::time::Instant;
use tracing::Span;

use crate::label::ErrorType;
use crate::watch::{Arrived, BodyWatch, Watch};
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
            Some(span) => span.in_scope(|| this.inner.poll(cx)),
        };
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(response)) => {
                let body = match this.watch.is_on() {
                    true => at_head(this.watch, this.span, &response),
                    false => None,
                };
                Poll::Ready(Ok(response.map(|inner| MetricsBody::new(inner, body))))
            }
            Poll::Ready(Err(error)) => {
                let error = error.into();
                failed(this.watch, this.span, &error);
                Poll::Ready(Err(error))
            }
        }
    }
}

/// The span is over, though the future may be kept.
fn at_head<R: Body + Any>(
    watch: &mut Watch,
    span: &mut Option<Box<Span>>,
    response: &Response<R>,
) -> Option<BodyWatch> {
    let now = Instant::now();
    if let Some(span) = span.take() {
        span::answered(&span, response);
    }
    let body = response.body();
    let ours = (body as &dyn Any).downcast_ref::<CoreBody>();
    let connection = ours.and_then(CoreBody::connection_info);
    if connection.is_some_and(ConnectionInfo::reused) {
        watch.on_reused_connection();
    }
    let arrived = match ours.and_then(CoreBody::as_bytes) {
        Some(bytes) => Arrived::All(bytes.len() as u64),
        None if body.is_end_stream() => Arrived::All(0),
        None => Arrived::NotAll,
    };
    watch.head(response.status(), arrived, now)
}

#[cold]
fn failed(watch: &mut Watch, span: &mut Option<Box<Span>>, error: &BoxError) {
    let kind = ErrorType::of(error);
    if let Some(span) = span.take() {
        span::failed(&span, kind);
    }
    watch.fail(kind, Instant::now());
}
