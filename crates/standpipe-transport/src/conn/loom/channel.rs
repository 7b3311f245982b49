//! What stands in for [`Channel`] in the models: hyper, as far as the pool can see it, with its
//! state in atomics that loom knows.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use standpipe_core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use crate::conn::ConnMeta;
use crate::exchange::SendBody;
use crate::pool::Handle;

pub(crate) type SendResult = Result<Response<Incoming>, TrySendError<Request<SendBody>>>;

/// What hyper's connection and its senders have in common.
#[derive(Debug)]
pub(crate) struct Wire {
    /// Senders that exist.
    handles: AtomicUsize,
    /// The connection can take a request.
    pub(crate) ready: AtomicBool,
    /// All of an answer is there, which the connection sees when it is polled.
    pub(crate) answered: AtomicBool,
    /// The peer has closed, which the connection sees when it is polled.
    pub(crate) hung_up: AtomicBool,
    /// hyper's connection is gone.
    pub(crate) ended: AtomicBool,
    /// The peer's limit on streams.
    pub(crate) streams: AtomicUsize,
}

impl Wire {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            handles: AtomicUsize::new(0),
            ready: AtomicBool::new(false),
            answered: AtomicBool::new(true),
            hung_up: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            streams: AtomicUsize::new(1),
        })
    }

    /// hyper's connection ends when its last sender is gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.handles.load(SeqCst) == 0
    }
}

/// An HTTP/1.1 connection, or one stream's place on an HTTP/2 connection.
pub(crate) struct Channel {
    wire: Arc<Wire>,
    pub(crate) meta: Arc<ConnMeta>,
}

impl Channel {
    pub(crate) fn over(wire: &Arc<Wire>, meta: Arc<ConnMeta>) -> Self {
        wire.handles.fetch_add(1, SeqCst);
        Self {
            wire: Arc::clone(wire),
            meta,
        }
    }

    pub(crate) fn wire(&self) -> &Arc<Wire> {
        &self.wire
    }

    pub(crate) fn exclusive(_: http1::SendRequest<SendBody>, _: Arc<ConnMeta>) -> Self {
        unreachable!("no model dials")
    }

    pub(crate) fn shared(_: http2::SendRequest<SendBody>, _: Arc<ConnMeta>) -> Self {
        unreachable!("no model dials")
    }

    pub(crate) fn send(&mut self, _: &mut Option<Request<SendBody>>) {
        unreachable!("no model sends")
    }

    pub(crate) fn poll(&mut self, _: &mut Context<'_>) -> Poll<SendResult> {
        unreachable!("no model sends")
    }

    pub(crate) fn cancel(&mut self) {}

    pub(crate) fn end(&mut self) {}
}

impl Drop for Channel {
    fn drop(&mut self) {
        if self.wire.handles.fetch_sub(1, SeqCst) == 1 {
            self.meta.driver().wake();
        }
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
        self.wire.ready.load(SeqCst)
    }

    fn is_spent(&self) -> bool {
        self.meta.is_spent() || self.wire.ended.load(SeqCst)
    }

    fn settle(&self) -> bool {
        self.meta.set_settling();
        self.is_ready()
    }

    fn is_shared(&self) -> bool {
        self.meta.shared
    }

    fn fork(&self) -> Self {
        Self::over(&self.wire, Arc::clone(&self.meta))
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
