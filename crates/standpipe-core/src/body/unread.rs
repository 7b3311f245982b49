use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Body, Kind};
use crate::Error;

/// A body that takes frames back which were read from it, so that its next reader gets them again.
///
/// Whoever looks into a body and hands it on asks for this.
pub trait Unread: HttpBody + Sized {
    /// The body as it was before `frames` were read, in their order. An error can only be the last.
    #[must_use]
    fn unread(self, frames: VecDeque<Result<Frame<Self::Data>, Self::Error>>) -> Self;
}

impl Unread for Body {
    /// One frame that was all of the body becomes plain bytes again; anything else is boxed once.
    fn unread(mut self, mut frames: VecDeque<Result<Frame<Bytes>, Error>>) -> Self {
        let all = frames.len() == 1 && self.is_end_stream();
        let kind = match frames.pop_front() {
            None => return self,
            Some(Ok(frame)) if all && frame.is_data() => {
                Self::from(frame.into_data().unwrap_or_default()).kind
            }
            Some(first) => {
                frames.push_front(first);
                let rest = std::mem::take(&mut self.kind);
                Kind::Stream(Box::pin(Prefixed {
                    frames,
                    rest: Self::of(rest),
                }))
            }
        };
        Self { kind, ..self }
    }
}

struct Prefixed {
    frames: VecDeque<Result<Frame<Bytes>, Error>>,
    rest: Body,
}

impl HttpBody for Prefixed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        match this.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut this.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.frames.iter().flatten().filter_map(Frame::data_ref);
        let held: u64 = held.map(|data| data.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(held));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint
    }
}
