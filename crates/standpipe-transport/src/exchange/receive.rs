use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use standpipe_core::{Body, Error, ErrorKind, Phase, RequestSent};

use super::body_clock::{BodyClock, Overdue};
use super::fault;
use super::hold::Hold;
use super::lease::Lease;

/// How much of an abandoned body is read to save its connection, where it is there already.
const DRAIN: usize = 64 * 1024;

/// A request body that may still be on its way while the response is read.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) hold: Arc<Hold>,
    /// The response is an error: nobody wants the rest of the upload.
    pub(crate) refused: bool,
}

impl Upload {
    fn has_ended(&self) -> bool {
        // The body itself holds the other reference, and hyper drops it at its end.
        Arc::strong_count(&self.hold) == 1
    }
}

/// The body of a response, which takes the lease along where there is more of it to come.
///
/// Most bodies are there as one frame when their head is: those need neither a box nor a clock.
#[inline]
pub(super) fn body(
    mut incoming: Incoming,
    lease: &mut Lease,
    upload: Option<Upload>,
    cx: &mut Context<'_>,
) -> Body {
    if upload.is_none() && incoming.is_end_stream() {
        lease.finish();
        return Body::empty();
    }
    let first = Pin::new(&mut incoming).poll_frame(cx);
    match first {
        Poll::Ready(Some(Ok(frame)))
            if upload.is_none() && frame.is_data() && incoming.is_end_stream() =>
        {
            lease.finish();
            Body::from(frame.into_data().unwrap_or_default())
        }
        first => rest_of(first, incoming, lease, upload, cx),
    }
}

/// A body that began with `first` and goes on.
fn rest_of(
    first: Poll<Option<Result<Frame<Bytes>, hyper::Error>>>,
    incoming: Incoming,
    lease: &mut Lease,
    upload: Option<Upload>,
    cx: &mut Context<'_>,
) -> Body {
    let clock = BodyClock::new(&lease.pool().config.timeouts);
    if lease.is_over() {
        // hyper takes the next request only when this exchange is over, so all of the body is with
        // us already.
        lease.finish();
    }
    let mut body = ReceiveBody {
        incoming,
        lease: lease.take(),
        upload,
        clock,
        ended: false,
        looks: 0,
    };
    let Poll::Ready(first) = first else {
        return Body::new(body);
    };
    match body.given(first) {
        None => Body::empty(),
        Some(first) => {
            // The next poll is ours still.
            body.looks = 1;
            Body::poll_after(first, body, cx)
        }
    }
}

/// A response body with the lease of its connection.
#[derive(Debug)]
struct ReceiveBody {
    incoming: Incoming,
    lease: Option<Lease>,
    upload: Option<Upload>,
    clock: BodyClock,
    /// The last frame was given.
    ended: bool,
    /// How many polls may yet come that are not the caller's: at the head the transport looks
    /// whether all is there. They start no clock.
    looks: u8,
}

impl ReceiveBody {
    /// The body has ended: the connection is free for the next request.
    fn release(&mut self) {
        let Some(mut lease) = self.lease.take() else {
            return;
        };
        match self.upload.take() {
            // An HTTP/1.1 connection can be used again only after the whole upload; where the
            // answer is an error, closing it costs less.
            Some(upload) if upload.refused && !upload.has_ended() && !lease.is_shared() => {
                drop(lease);
            }
            Some(upload) => upload.hold.keep(lease),
            None => lease.finish(),
        }
    }

    /// What the caller is given for what hyper gave; the connection is free with the last of it.
    fn given(
        &mut self,
        frame: Option<Result<Frame<Bytes>, hyper::Error>>,
    ) -> Option<Result<Frame<Bytes>, Error>> {
        match frame {
            Some(Ok(frame)) => {
                if self.incoming.is_end_stream() {
                    self.ended = true;
                    self.release();
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                let upload = self.upload.as_ref().and_then(|upload| upload.hold.fault());
                let lease = self.lease.take();
                let error = fault::of_body(error, upload, lease.as_ref());
                if let Some(lease) = lease {
                    lease.fail();
                }
                Some(Err(error))
            }
            None => {
                self.release();
                None
            }
        }
    }

    /// Whoever still uploads over HTTP/2 would keep the stream of a response that nobody waits for; an
    /// HTTP/1.1 connection closes.
    fn abandon_upload(&self) {
        if let Some(upload) = &self.upload
            && !self.is_end_stream()
        {
            upload.hold.abandon();
        }
    }

    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let overdue = ready!(self.clock.poll(cx));
        let error = Error::new(ErrorKind::BodyIdleTimeout)
            .with_phase(Phase::Body)
            .with_request_sent(RequestSent::Yes)
            .with_message(match overdue {
                Overdue::Silent(timeout) => format!("nothing came for {timeout:?}"),
                Overdue::Slow(least) => format!(
                    "less than {} bytes a second came for {:?}",
                    least.bytes_per_second, least.grace
                ),
            });
        let Some(lease) = &self.lease else {
            return Poll::Ready(error);
        };
        if let Overdue::Silent(_) = overdue {
            // Of a slow one it is known that it lives.
            lease.suspect();
        }
        Poll::Ready(error.with_origin(lease.pool().key.origin().clone()))
    }

    /// Reads on as long as nothing has to be waited for; whether that led to the end.
    fn drain(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let mut read = 0;
        while !self.incoming.is_end_stream() {
            match Pin::new(&mut self.incoming).poll_frame(&mut cx) {
                Poll::Ready(None) => return true,
                Poll::Ready(Some(Ok(frame))) => {
                    read += frame.data_ref().map_or(0, Bytes::len);
                    if read > DRAIN {
                        return false;
                    }
                }
                Poll::Ready(Some(Err(_))) | Poll::Pending => return false,
            }
        }
        true
    }
}

impl HttpBody for ReceiveBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let frame = match Pin::new(&mut this.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                this.looks = this.looks.saturating_sub(1);
                frame
            }
            Poll::Pending if std::mem::take(&mut this.looks) > 0 => return Poll::Pending,
            Poll::Pending => {
                let error = ready!(this.poll_overdue(cx));
                this.abandon_upload();
                drop(this.lease.take());
                return Poll::Ready(Some(Err(error)));
            }
        };
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
            Some(Err(_)) | None => 0,
        };
        this.clock.took(bytes);
        Poll::Ready(this.given(frame))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for ReceiveBody {
    /// An HTTP/1.1 connection whose response is not read to its end is kept if the rest is there
    /// already, else closed. An HTTP/2 stream is reset by hyper, and the connection goes on.
    fn drop(&mut self) {
        let Some(lease) = &self.lease else {
            return;
        };
        if lease.is_shared() {
            if !self.is_end_stream() {
                lease.cool();
            }
            self.abandon_upload();
            self.release();
        } else if self.drain() {
            self.release();
        }
    }
}
