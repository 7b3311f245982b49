//! The handle through which requests are sent on a connection.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use pin_project_lite::pin_project;

use super::ConnMeta;
use crate::exchange::SendBody;
use crate::pool::Handle;

pub(crate) type SendResult = Result<Response<Incoming>, TrySendError<Request<SendBody>>>;

/// An HTTP/1.1 connection, or one stream's place on an HTTP/2 connection.
pub(crate) struct Channel {
    exchange: Channelled,
    pub(crate) meta: Arc<ConnMeta>,
}

/// hyper's sender, and its future of the request under way.
///
/// hyper's send futures have no name; the box that holds one stays with the handle and is used
/// again for the next request.
trait Exchange: Send {
    /// Takes the request out and hands it to hyper.
    fn send(self: Pin<&mut Self>, request: &mut Option<Request<SendBody>>);
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<SendResult>;
    fn cancel(self: Pin<&mut Self>);
    /// No further request will be sent.
    fn end(self: Pin<&mut Self>);
    fn is_ready(&self) -> bool;
    fn is_closed(&self) -> bool;
    /// Another one on the same connection, where it carries many requests.
    fn fork(&self) -> Option<Channelled>;
}

/// What hyper's two senders have in common.
trait Sender: Sized + Send + 'static {
    fn is_ready(&self) -> bool;
    fn is_closed(&self) -> bool;
    fn fork(&self) -> Option<Channelled>;
}

type Channelled = Pin<Box<dyn Exchange>>;

pin_project! {
    struct Slot<S, M, F> {
        // Until its connection's driver has ended.
        sender: Option<S>,
        make: M,
        #[pin]
        future: Option<F>,
    }
}

impl<S, M, F> Exchange for Slot<S, M, F>
where
    S: Sender,
    M: Fn(&mut S, Request<SendBody>) -> F + Send,
    F: Future<Output = SendResult> + Send,
{
    fn send(self: Pin<&mut Self>, request: &mut Option<Request<SendBody>>) {
        let mut this = self.project();
        if let (Some(sender), Some(request)) = (this.sender, request.take()) {
            this.future.set(Some((this.make)(sender, request)));
        }
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<SendResult> {
        match self.project().future.as_pin_mut() {
            Some(future) => future.poll(cx),
            None => Poll::Pending,
        }
    }

    fn cancel(self: Pin<&mut Self>) {
        self.project().future.set(None);
    }

    fn end(self: Pin<&mut Self>) {
        *self.project().sender = None;
    }

    fn is_ready(&self) -> bool {
        self.sender.as_ref().is_some_and(S::is_ready)
    }

    fn is_closed(&self) -> bool {
        self.sender.as_ref().is_none_or(S::is_closed)
    }

    fn fork(&self) -> Option<Channelled> {
        self.sender.as_ref()?.fork()
    }
}

fn slot<S, M, F>(sender: S, make: M) -> Channelled
where
    S: Sender,
    M: Fn(&mut S, Request<SendBody>) -> F + Send + 'static,
    F: Future<Output = SendResult> + Send + 'static,
{
    let future = None;
    Box::pin(Slot {
        sender: Some(sender),
        make,
        future,
    })
}

fn exclusive(sender: http1::SendRequest<SendBody>) -> Channelled {
    slot(sender, |sender, request| sender.try_send_request(request))
}

fn shared(sender: http2::SendRequest<SendBody>) -> Channelled {
    slot(sender, |sender, request| sender.try_send_request(request))
}

impl Sender for http1::SendRequest<SendBody> {
    fn is_ready(&self) -> bool {
        self.is_ready()
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }

    fn fork(&self) -> Option<Channelled> {
        None
    }
}

impl Sender for http2::SendRequest<SendBody> {
    fn is_ready(&self) -> bool {
        self.is_ready()
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }

    fn fork(&self) -> Option<Channelled> {
        Some(shared(self.clone()))
    }
}

impl Channel {
    pub(crate) fn exclusive(sender: http1::SendRequest<SendBody>, meta: Arc<ConnMeta>) -> Self {
        let exchange = exclusive(sender);
        Self { exchange, meta }
    }

    pub(crate) fn shared(sender: http2::SendRequest<SendBody>, meta: Arc<ConnMeta>) -> Self {
        let exchange = shared(sender);
        Self { exchange, meta }
    }

    /// Takes the request out and hands it to hyper; [`poll`](Channel::poll) gives the answer.
    #[inline]
    pub(crate) fn send(&mut self, request: &mut Option<Request<SendBody>>) {
        self.exchange.as_mut().send(request);
    }

    /// The answer to the request that was sent last. Not to be called after it is `Ready`.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SendResult> {
        self.exchange.as_mut().poll(cx)
    }

    /// Gives up the request that was sent last: hyper resets an HTTP/2 stream.
    pub(crate) fn cancel(&mut self) {
        self.exchange.as_mut().cancel();
    }

    /// The driver has ended, and so nothing more can be sent; what was sent is still polled.
    ///
    /// The race: a request that goes into the queue of hyper's dispatcher while that is being dropped may
    /// stay there, with those behind it, for as long as there is a sender (tokio's `mpsc`
    /// empties the queue up to the first place that is taken and not filled yet). With the last sender it is
    /// given back unsent.
    #[cold]
    pub(crate) fn end(&mut self) {
        self.exchange.as_mut().end();
    }
}

impl Handle for Channel {
    type Link = Arc<ConnMeta>;

    fn link(&self) -> &Arc<ConnMeta> {
        &self.meta
    }

    fn is_used_up(&self) -> bool {
        self.meta.is_used_up()
    }

    fn is_ready(&self) -> bool {
        self.exchange.is_ready()
    }

    fn is_spent(&self) -> bool {
        self.meta.is_spent() || self.exchange.is_closed()
    }

    fn settle(&self) -> bool {
        self.meta.set_settling();
        self.is_ready()
    }

    fn is_shared(&self) -> bool {
        self.meta.shared
    }

    fn fork(&self) -> Self {
        match self.exchange.fork() {
            Some(exchange) => Self {
                exchange,
                meta: Arc::clone(&self.meta),
            },
            None => unreachable!("an HTTP/1.1 connection has one handle"),
        }
    }

    fn begin_busy(&self) {
        self.meta.traffic.end_silence();
    }

    fn max_uses(&self) -> u64 {
        self.meta.max_uses()
    }

    fn bytes_read(&self) -> u64 {
        self.meta.traffic.bytes_read()
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
