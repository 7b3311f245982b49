use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use standpipe_core::Unread;

use crate::label::ErrorType;
use crate::watch::BodyWatch;

pin_project! {
    /// The response body under a [`Metrics`](crate::Metrics): it counts bytes and tells how the body
    /// ended.
    ///
    /// A body that was complete with its head, because it is empty or a
    /// [`standpipe_core::Body`] of bytes, also under another `MetricsBody`, has been counted already and is
    /// only passed through.
    ///
    /// # Errors
    ///
    /// The inner body's, unchanged. `error.type` is the kind of the [`standpipe_core::Error`] that it is,
    /// or that a boxed error or a [`std::io::Error`] has among its sources; an error of any other type is
    /// `_OTHER`, whatever its sources are.
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
    #[inline]
    pub(crate) fn unwatched(inner: B) -> Self {
        Self { inner, watch: None }
    }

    #[inline]
    pub(crate) fn watched(inner: B, watch: BodyWatch) -> Self {
        let watch = Some(watch);
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
    B: Body<Error: 'static>,
{
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let polled = this.inner.as_mut().poll_frame(cx);
        // The frame is looked at where it lies: a move of it costs more than the look.
        if this.watch.is_some()
            && let Poll::Ready(frame) = &polled
        {
            let ends = this.inner.is_end_stream();
            watch_frame(this.watch, frame.as_ref(), ends);
        }
        polled
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

fn watch_frame<D: Buf, E: 'static>(
    watched: &mut Option<BodyWatch>,
    frame: Option<&Result<Frame<D>, E>>,
    ends: bool,
) {
    if let (Some(watch), Some(Ok(frame))) = (watched.as_mut(), frame)
        && let Some(data) = frame.data_ref()
    {
        watch.saw(data.remaining());
    }
    match frame {
        // Whoever knows the length does not ask for the end.
        Some(Ok(_)) if !ends => {}
        Some(Ok(_)) | None => {
            if let Some(watch) = watched.take() {
                watch.complete();
            }
        }
        Some(Err(error)) => {
            if let Some(watch) = watched.take() {
                watch.fail(ErrorType::of_any(error));
            }
        }
    }
}

/// For a retry that looks into an answer: what is put back is counted when it is read again. A body
/// that was read to its end has been counted by then.
impl<B> Unread for MetricsBody<B>
where
    B: Unread<Error: 'static>,
{
    fn unread(mut self, frames: VecDeque<Result<Frame<B::Data>, B::Error>>) -> Self {
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
