use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use standpipe_core::{Body, Error, ErrorKind, Phase, RequestSent};
use tokio::time::Sleep;

use super::hold::Hold;

/// A request body as hyper gets it: held to the length that its head declares.
///
/// One word, nothing for an empty body: hyper moves a request a dozen times on its way to the
/// connection, and what makes it longer is paid for each time.
#[derive(Debug, Default)]
pub(crate) struct SendBody {
    inner: Option<Box<Inner>>,
}

#[derive(Debug)]
struct Inner {
    body: Body,
    /// Bytes still to come of a stream whose length the head declares, or the stream itself.
    declared: Option<u64>,
    /// What came after the last byte that was declared.
    ahead: Poll<Option<Result<Frame<Bytes>, Error>>>,
    /// Keeps the lease while the upload outlives the response.
    hold: Option<Arc<Hold>>,
    /// Runs while the server's leave is waited for.
    patience: Option<Pin<Box<Sleep>>>,
}

impl SendBody {
    pub(crate) fn new(body: Body, declared: Option<u64>, hold: Option<Arc<Hold>>) -> Self {
        if body.is_end_stream() && declared.is_none() && hold.is_none() {
            return Self::default();
        }
        Self {
            inner: Some(Box::new(Inner {
                body,
                declared,
                ahead: Poll::Pending,
                hold,
                patience: None,
            })),
        }
    }

    /// The body again, when hyper gave it back unread, and the length it was held to.
    pub(crate) fn into_parts(self) -> (Body, Option<u64>) {
        match self.inner {
            Some(inner) => (inner.body, inner.declared),
            None => (Body::empty(), None),
        }
    }
}

impl Inner {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = match std::mem::replace(&mut self.ahead, Poll::Pending) {
            Poll::Ready(frame) => frame,
            Poll::Pending => ready!(Pin::new(&mut self.body).poll_frame(cx)),
        };
        let Some(left) = &mut self.declared else {
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
        if rest == 0 && length > 0 && !self.body.is_end_stream() {
            // Over HTTP/1.1 hyper has all it was promised and asks no more: what came too much would
            // be cut off unnoticed.
            self.ahead = Pin::new(&mut self.body).poll_frame(cx);
            let surplus = |frame: &Frame<Bytes>| frame.data_ref().is_some_and(|d| !d.is_empty());
            if matches!(&self.ahead, Poll::Ready(Some(Ok(frame))) if surplus(frame)) {
                return Poll::Ready(Some(Err(wrong("longer"))));
            }
        }
        Poll::Ready(frame)
    }
}

impl HttpBody for SendBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(inner) = &mut self.get_mut().inner else {
            return Poll::Ready(None);
        };
        if let Some(hold) = &inner.hold {
            if hold.is_abandoned() {
                return Poll::Ready(Some(Err(abandoned())));
            }
            if let Some(gate) = hold.gate() {
                ready!(gate.poll(&mut inner.patience, cx));
            }
        }
        let frame = match (inner.poll_frame(cx), &inner.hold) {
            (Poll::Ready(frame), _) => frame,
            (Poll::Pending, Some(hold)) => {
                ready!(hold.poll_abandoned(cx));
                Some(Err(abandoned()))
            }
            (Poll::Pending, None) => return Poll::Pending,
        };
        if let (Some(Err(error)), Some(hold)) = (&frame, &inner.hold) {
            hold.fail(error.clone());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let Some(inner) = &self.inner else {
            return true;
        };
        match &inner.ahead {
            Poll::Ready(ahead) => ahead.is_none(),
            Poll::Pending => {
                inner.body.is_end_stream() && inner.declared.is_none_or(|left| left == 0)
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            None => SizeHint::with_exact(0),
            Some(inner) => match inner.declared {
                Some(left) => SizeHint::with_exact(left),
                None => inner.body.size_hint(),
            },
        }
    }
}

fn abandoned() -> Error {
    Error::new(ErrorKind::RequestBody)
        .with_phase(Phase::Body)
        .with_request_sent(RequestSent::Yes)
        .with_message("its response was given up")
}

fn wrong(how: &str) -> Error {
    Error::new(ErrorKind::RequestBody)
        .with_phase(Phase::Exchange)
        .with_request_sent(RequestSent::Maybe)
        .with_message(format!("the body is {how} than its content-length"))
}
