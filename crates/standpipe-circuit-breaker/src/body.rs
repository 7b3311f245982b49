use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Classify, HttpClassifier, Outcome};

use crate::Call;

pin_project! {
    /// The response body under a breaker that judges [at the end of the body](crate::AtBodyEnd).
    ///
    /// It hands on all that the inner body gives, and allocates nothing. Its call ends with the
    /// last frame, by which the inner body says that there are no more, or with its error, which
    /// the classifier judges.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end, the call was given up; see [`Call`].
    #[derive(Debug)]
    pub struct CircuitBody<B, C = HttpClassifier> {
        #[pin]
        inner: B,
        // Until the end of the body, where that is what is waited for.
        watched: Option<(Call, C)>,
    }
}

impl<B, C> CircuitBody<B, C> {
    pub(crate) fn watched(inner: B, call: Call, classifier: C) -> Self {
        Self {
            inner,
            watched: Some((call, classifier)),
        }
    }

    pub(crate) fn judged(inner: B) -> Self {
        Self {
            inner,
            watched: None,
        }
    }

    /// The inner body.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    /// The inner body, to change.
    pub fn get_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    /// Gives the inner body back; the breaker takes the call as dropped, unless it had ended.
    pub fn into_inner(self) -> B {
        self.inner
    }
}

impl<B, C> Body for CircuitBody<B, C>
where
    B: Body,
    B::Error: Into<BoxError>,
    C: Classify<Response<B>>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut this = self.project();
        // On the stack while the inner body runs, so that its panic ends the call at once.
        let Some((call, classifier)) = this.watched.take() else {
            let frame = this.inner.poll_frame(cx);
            return frame.map(|frame| frame.map(|frame| frame.map_err(Into::into)));
        };
        let call = call.run();
        match this.inner.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Err(error))) => {
                let result = Err::<Response<B>, _>(error.into());
                let outcome = classifier.classify(&result);
                call.finish(outcome, None);
                Poll::Ready(result.err().map(Err))
            }
            Poll::Ready(None) => {
                call.finish(Outcome::Success, None);
                Poll::Ready(None)
            }
            // Who has the last frame need not ask again.
            Poll::Ready(Some(Ok(frame))) if this.inner.is_end_stream() => {
                call.finish(Outcome::Success, None);
                Poll::Ready(Some(Ok(frame)))
            }
            going_on => {
                *this.watched = Some((call.rest(), classifier));
                going_on.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
