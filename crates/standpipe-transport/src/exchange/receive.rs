use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use standpipe_core::{Deadline, Error, ErrorKind, Phase, RequestSent};
use tokio::time::Sleep;

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

/// A response body with the lease of its connection.
#[derive(Debug)]
pub(crate) struct ReceiveBody {
    incoming: Incoming,
    lease: Option<Lease>,
    upload: Option<Upload>,
    idle_timeout: Option<Duration>,
    /// Runs while the caller waits for the peer, and at no other time: a slow reader is not
    /// the peer's silence.
    silence: Option<Pin<Box<Sleep>>>,
    /// The last frame was given.
    ended: bool,
    /// How many polls may yet come that are not the caller's: at the head the transport looks
    /// whether all is there, which takes one poll, and a second one after a frame. They start no
    /// clock.
    looks: u8,
}

impl ReceiveBody {
    pub(crate) fn new(
        incoming: Incoming,
        lease: Option<Lease>,
        upload: Option<Upload>,
        idle_timeout: Option<Duration>,
    ) -> Self {
        Self {
            incoming,
            lease,
            upload,
            idle_timeout,
            silence: None,
            ended: false,
            looks: 2,
        }
    }

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

    /// Whoever still uploads over HTTP/2 would keep the stream of a response that nobody waits for; an
    /// HTTP/1.1 connection closes.
    fn abandon_upload(&self) {
        if let Some(upload) = &self.upload
            && !self.is_end_stream()
        {
            upload.hold.abandon();
        }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let Some(timeout) = self.idle_timeout else {
            return Poll::Pending;
        };
        let clock = self.silence.get_or_insert_with(|| {
            Box::pin(tokio::time::sleep_until(Deadline::after(timeout).instant()))
        });
        ready!(clock.as_mut().poll(cx));
        let error = Error::new(ErrorKind::BodyIdleTimeout)
            .with_phase(Phase::Body)
            .with_request_sent(RequestSent::Yes)
            .with_message(format!("nothing came for {timeout:?}"));
        Poll::Ready(match &self.lease {
            Some(lease) => {
                lease.suspect();
                error.with_origin(lease.pool().key.origin().clone())
            }
            None => error,
        })
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
                let error = ready!(this.poll_silence(cx));
                this.abandon_upload();
                drop(this.lease.take());
                return Poll::Ready(Some(Err(error)));
            }
        };
        this.silence = None;
        match frame {
            Some(Ok(frame)) => {
                if this.incoming.is_end_stream() {
                    this.ended = true;
                    this.release();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                let upload = this.upload.as_ref().and_then(|upload| upload.hold.fault());
                let lease = this.lease.take();
                let error = fault::of_body(error, upload, lease.as_ref());
                if let Some(lease) = lease {
                    lease.fail();
                }
                Poll::Ready(Some(Err(error)))
            }
            None => {
                this.release();
                Poll::Ready(None)
            }
        }
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
