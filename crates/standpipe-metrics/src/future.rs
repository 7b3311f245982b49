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
        watch: Option<Watch>,
        span: Span,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.watch.is_some() {
                span::failed(this.span, ErrorType::CANCELLED);
            }
        }
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn new(inner: F, watch: Watch, span: Span) -> Self {
        Self {
            inner,
            watch: Some(watch),
            span,
        }
    }

    pub(crate) fn unwatched(inner: F) -> Self {
        Self {
            inner,
            watch: None,
            span: Span::none(),
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
        let polled = {
            let _entered = this.span.enter();
            this.inner.poll(cx)
        };
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(response)) if this.watch.is_none() => {
                Poll::Ready(Ok(response.map(|body| MetricsBody::new(body, None))))
            }
            Poll::Ready(Ok(response)) => {
                let now = Instant::now();
                span::answered(this.span, &response);
                // The span is over, though the future may be kept.
                *this.span = Span::none();
                let watch = this.watch.take();
                let watch = watch.and_then(|watch| at_head(watch, &response, now));
                Poll::Ready(Ok(response.map(|body| MetricsBody::new(body, watch))))
            }
            Poll::Ready(Err(error)) => {
                let error = error.into();
                let kind = ErrorType::of(&error);
                span::failed(this.span, kind);
                *this.span = Span::none();
                if let Some(watch) = this.watch.take() {
                    watch.fail(kind, Instant::now());
                }
                Poll::Ready(Err(error))
            }
        }
    }
}

fn at_head<R: Body + Any>(watch: Watch, response: &Response<R>, now: Instant) -> Option<BodyWatch> {
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
