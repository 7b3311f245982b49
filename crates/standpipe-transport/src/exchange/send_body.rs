use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use standpipe_core::{Body, Error, ErrorKind, Phase, RequestSent};

use super::lease::Hold;

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
    /// Bytes still to come, where the head declares a length for a body that has none of its own.
    declared: Option<u64>,
    /// Keeps the lease while the upload outlives the response.
    _hold: Option<Arc<Hold>>,
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
                _hold: hold,
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
        let frame = ready!(Pin::new(&mut inner.body).poll_frame(cx));
        let Some(left) = &mut inner.declared else {
            return Poll::Ready(frame);
        };
        let length = match &frame {
            None if *left > 0 => return Poll::Ready(Some(Err(wrong("shorter")))),
            Some(Ok(frame)) => frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) | None => 0,
        };
        match left.checked_sub(length) {
            Some(rest) => {
                *left = rest;
                Poll::Ready(frame)
            }
            None => Poll::Ready(Some(Err(wrong("longer")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|inner| {
            inner.body.is_end_stream() && inner.declared.is_none_or(|left| left == 0)
        })
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

fn wrong(how: &str) -> Error {
    Error::new(ErrorKind::RequestBody)
        .with_phase(Phase::Exchange)
        .with_request_sent(RequestSent::Maybe)
        .with_message(format!("the body is {how} than its content-length"))
}
