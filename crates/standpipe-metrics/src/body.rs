use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Error, Unread};

use crate::label::ErrorType;
use crate::watch::BodyWatch;

pin_project! {
    /// The response body under a [`Metrics`](crate::Metrics): it counts bytes and tells how the body
    /// ended.
    ///
    /// A body that was complete with its head, because it is empty or a
    /// [`standpipe_core::Body`] of bytes, has been counted already and is only passed through.
    ///
    /// # Errors
    ///
    /// The inner body's, as [`Error::from_boxed`] makes it a [`standpipe_core::Error`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it before its end counts the body as abandoned.
    #[derive(Debug)]
    pub struct MetricsBody<B> {
        #[pin]
        inner: B,
        watch: Option<BodyWatch>,
    }
}

impl<B> MetricsBody<B> {
    pub(crate) fn new(inner: B, watch: Option<BodyWatch>) -> Self {
        Self { inner, watch }
    }

    /// Whether its end is yet to be counted.
    pub fn is_watched(&self) -> bool {
        self.watch.is_some()
    }

    /// The inner body.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    /// The inner body, to change. What is read through this is not counted.
    pub fn get_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    /// Gives the inner body back, for whoever can tell that all of it is there, `bytes` in all: it
    /// counts as complete now, however it is read.
    pub fn into_arrived(self, bytes: u64) -> B {
        if let Some(watch) = self.watch {
            watch.arrived(bytes);
        }
        self.inner
    }

    /// Gives the inner body back. One that [is watched](MetricsBody::is_watched) still counts as
    /// abandoned here.
    pub fn into_inner(self) -> B {
        self.inner
    }
}

impl<B> Body for MetricsBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        if this.watch.is_some() {
            let ends = this.inner.is_end_stream();
            return Poll::Ready(watch_frame(this.watch, frame, ends));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(|error| Error::from_boxed(error.into()))))
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn watch_frame<D: Buf, E: Into<BoxError>>(
    watch: &mut Option<BodyWatch>,
    frame: Option<Result<Frame<D>, E>>,
    ends: bool,
) -> Option<Result<Frame<D>, Error>> {
    match frame {
        Some(Ok(frame)) => {
            if let (Some(watch), Some(data)) = (watch.as_mut(), frame.data_ref()) {
                watch.saw(data.remaining());
            }
            // Whoever knows the length does not ask for the end.
            if ends && let Some(watch) = watch.take() {
                watch.complete();
            }
            Some(Ok(frame))
        }
        Some(Err(error)) => {
            let error = error.into();
            if let Some(watch) = watch.take() {
                watch.fail(ErrorType::of(&error));
            }
            Some(Err(Error::from_boxed(error)))
        }
        None => {
            if let Some(watch) = watch.take() {
                watch.complete();
            }
            None
        }
    }
}

/// For a retry that looks into an answer: what is put back is counted when it is read again. A body
/// that was read to its end has been counted by then.
impl<B> Unread for MetricsBody<B>
where
    B: Unread<Error = Error>,
{
    fn unread(mut self, frames: VecDeque<Result<Frame<B::Data>, Error>>) -> Self {
        if let Some(watch) = &mut self.watch {
            let data = frames.iter().flatten().filter_map(Frame::data_ref);
            watch.unsaw(data.map(Buf::remaining).sum());
        }
        Self {
            inner: self.inner.unread(frames),
            watch: self.watch,
        }
    }
}
