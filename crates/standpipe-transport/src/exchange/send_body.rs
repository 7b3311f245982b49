use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use standpipe_core::{Body, Error, ErrorKind, Phase, RequestSent};

use super::lease::Hold;

/// A request body as hyper gets it: held to the length that its head declares.
#[derive(Debug)]
pub(crate) struct SendBody {
    body: Body,
    /// Bytes still to come of a stream whose length the head declares, or the stream itself.
    declared: Option<u64>,
    /// What came after the last byte that was declared.
    ahead: Poll<Option<Result<Frame<Bytes>, Error>>>,
    /// Keeps the lease while the upload outlives the response.
    hold: Option<Arc<Hold>>,
}

impl SendBody {
    pub(crate) fn new(body: Body, declared: Option<u64>, hold: Option<Arc<Hold>>) -> Self {
        Self {
            body,
            declared,
            ahead: Poll::Pending,
            hold,
        }
    }

    /// The body again, when hyper gave it back unread, and the length it was held to.
    pub(crate) fn into_parts(self) -> (Body, Option<u64>) {
        drop(self.hold);
        (self.body, self.declared)
    }
}

impl HttpBody for SendBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let frame = match std::mem::replace(&mut this.ahead, Poll::Pending) {
            Poll::Ready(frame) => frame,
            Poll::Pending => ready!(Pin::new(&mut this.body).poll_frame(cx)),
        };
        let Some(left) = &mut this.declared else {
            return Poll::Ready(frame);
        };
        let length = match &frame {
            None if *left > 0 => return Poll::Ready(Some(Err(wrong("shorter")))),
            Some(Ok(frame)) => frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) | None => 0,
        };
        let Some(rest) = left.checked_sub(length) else {
            return Poll::Ready(Some(Err(wrong("longer"))));
        };
        *left = rest;
        if rest == 0 && length > 0 && !this.body.is_end_stream() {
            // Over HTTP/1.1 hyper has all it was promised and asks no more: what came too much would
            // be cut off unnoticed.
            this.ahead = Pin::new(&mut this.body).poll_frame(cx);
            let surplus = |frame: &Frame<Bytes>| frame.data_ref().is_some_and(|d| !d.is_empty());
            if matches!(&this.ahead, Poll::Ready(Some(Ok(frame))) if surplus(frame)) {
                return Poll::Ready(Some(Err(wrong("longer"))));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.ahead {
            Poll::Ready(ahead) => ahead.is_none(),
            Poll::Pending => {
                self.body.is_end_stream() && self.declared.is_none_or(|left| left == 0)
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.declared {
            Some(left) => SizeHint::with_exact(left),
            None => self.body.size_hint(),
        }
    }
}

fn wrong(how: &str) -> Error {
    Error::new(ErrorKind::RequestBody)
        .with_phase(Phase::Exchange)
        .with_request_sent(RequestSent::Maybe)
        .with_message(format!("the body is {how} than its content-length"))
}
