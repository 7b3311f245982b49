//! The handle through which requests are sent on a connection.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use tokio_util::sync::ReusableBoxFuture;

use super::ConnMeta;
use crate::exchange::SendBody;
use crate::pool::Handle;

pub(crate) type SendResult = Result<Response<Incoming>, TrySendError<Request<SendBody>>>;

enum Sender {
    Exclusive(http1::SendRequest<SendBody>),
    Shared(http2::SendRequest<SendBody>),
}

/// An HTTP/1.1 connection, or one stream's place on an HTTP/2 connection.
///
/// hyper's send futures have no name; the box that holds one stays with the handle and is used
/// again for the next request.
pub(crate) struct Channel {
    sender: Sender,
    exchange: ReusableBoxFuture<'static, SendResult>,
    pub(crate) meta: Arc<ConnMeta>,
}

impl Channel {
    pub(crate) fn exclusive(sender: http1::SendRequest<SendBody>, meta: Arc<ConnMeta>) -> Self {
        Self::new(Sender::Exclusive(sender), meta)
    }

    pub(crate) fn shared(sender: http2::SendRequest<SendBody>, meta: Arc<ConnMeta>) -> Self {
        Self::new(Sender::Shared(sender), meta)
    }

    fn new(sender: Sender, meta: Arc<ConnMeta>) -> Self {
        Self {
            sender,
            // A future without a size takes no memory.
            exchange: ReusableBoxFuture::new(std::future::pending()),
            meta,
        }
    }

    /// Hands the request to hyper; [`poll`](Channel::poll) gives the answer.
    pub(crate) fn send(&mut self, request: Request<SendBody>) {
        match &mut self.sender {
            Sender::Exclusive(sender) => self.exchange.set(sender.try_send_request(request)),
            Sender::Shared(sender) => self.exchange.set(sender.try_send_request(request)),
        }
    }

    /// The answer to the request that was sent last. Not to be called after it is `Ready`.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SendResult> {
        self.exchange.poll(cx)
    }

    /// Gives up the request that was sent last: hyper resets an HTTP/2 stream.
    pub(crate) fn cancel(&mut self) {
        self.exchange = ReusableBoxFuture::new(std::future::pending());
    }
}

impl Handle for Channel {
    fn id(&self) -> u64 {
        self.meta.id()
    }

    fn is_ready(&self) -> bool {
        match &self.sender {
            Sender::Exclusive(sender) => sender.is_ready(),
            Sender::Shared(sender) => sender.is_ready(),
        }
    }

    fn is_spent(&self) -> bool {
        self.meta.is_spent()
            || match &self.sender {
                Sender::Exclusive(sender) => sender.is_closed(),
                Sender::Shared(sender) => sender.is_closed(),
            }
    }

    fn settle(&self) -> bool {
        self.meta.set_settling();
        self.is_ready()
    }

    fn is_shared(&self) -> bool {
        self.meta.shared
    }

    fn fork(&self) -> Self {
        match &self.sender {
            Sender::Shared(sender) => Self::shared(sender.clone(), Arc::clone(&self.meta)),
            Sender::Exclusive(_) => unreachable!("an HTTP/1.1 connection has one handle"),
        }
    }

    fn begin_busy(&self) {
        self.meta.end_silence();
    }

    fn max_uses(&self) -> u64 {
        self.meta.max_uses()
    }

    fn bytes_read(&self) -> u64 {
        self.meta.bytes_read()
    }

    fn idle_timeout(&self) -> Option<Duration> {
        self.meta.idle_hint()
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}
