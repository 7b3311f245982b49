use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use standpipe_core::Unread;

use super::permit::Permit;

pin_project! {
    /// The response body under a [`ConcurrencyLimit`](crate::ConcurrencyLimit). It holds the
    /// request's permit up to its end, its error or its drop; a body that is at its end already holds
    /// none.
    #[derive(Debug)]
    pub struct PermitBody<B> {
        #[pin]
        inner: B,
        permit: Option<Permit>,
    }
}

impl<B> PermitBody<B> {
    /// The inner body.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    /// The inner body, to change.
    pub fn get_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    /// Gives the inner body back, and the permit to the next.
    pub fn into_inner(self) -> B {
        self.inner
    }
}

impl<B: Body> PermitBody<B> {
    pub(super) fn new(inner: B, permit: Option<Permit>) -> Self {
        Self {
            permit: permit.filter(|_| !inner.is_end_stream()),
            inner,
        }
    }
}

impl<B: Body> Body for PermitBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) || this.inner.is_end_stream() {
            *this.permit = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// For a retry that looks into an answer. A body that was read to its end holds no permit by then.
impl<B: Unread> Unread for PermitBody<B> {
    fn unread(self, frames: VecDeque<Result<Frame<B::Data>, B::Error>>) -> Self {
        Self {
            inner: self.inner.unread(frames),
            permit: self.permit,
        }
    }
}
