use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use tokio::time::Instant;

use super::SendBody;
use crate::conn::{Alarm, Channel, ConnMeta, SendResult, Set};
use crate::pool::{Handle, OriginPool};

/// The use of one connection, or of one stream, by one request.
///
/// It ends exactly once: by [`finish`](Lease::finish), or by its drop, which closes an HTTP/1.1
/// connection and resets an HTTP/2 stream.
#[derive(Debug)]
pub(crate) struct Lease {
    channel: Option<Channel>,
    pool: Arc<OriginPool>,
    uses_before: u64,
    read_before: u64,
    written_before: u64,
    /// While the head is waited for.
    alarm: Option<Alarm>,
}

impl Lease {
    pub(crate) fn new(channel: Channel, pool: Arc<OriginPool>) -> Self {
        let uses_before = channel.meta.begin_use();
        pool.sent(&channel, uses_before);
        Self {
            uses_before,
            read_before: channel.meta.traffic.bytes_read(),
            written_before: channel.meta.traffic.bytes_written(),
            channel: Some(channel),
            alarm: None,
            pool,
        }
    }

    #[inline]
    fn channel(&self) -> &Channel {
        self.channel.as_ref().expect("a lease that has not ended")
    }

    #[inline]
    pub(crate) fn pool(&self) -> &Arc<OriginPool> {
        &self.pool
    }

    #[inline]
    pub(crate) fn meta(&self) -> &Arc<ConnMeta> {
        &self.channel().meta
    }

    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        self.channel().is_shared()
    }

    /// Whether it is that of an HTTP/1.1 connection which takes the next request already.
    pub(crate) fn is_over(&self) -> bool {
        let channel = self.channel.as_ref();
        channel.is_some_and(|channel| !channel.is_shared() && channel.is_ready())
    }

    /// How many requests the connection had carried before this one.
    #[inline]
    pub(crate) fn uses_before(&self) -> u64 {
        self.uses_before
    }

    /// Whether a byte came in since the lease began; on a shared connection for any stream.
    pub(crate) fn has_read(&self) -> bool {
        self.meta().traffic.bytes_read() != self.read_before
    }

    /// Whether a byte went out since the lease began; on a shared connection for any stream.
    pub(crate) fn has_written(&self) -> bool {
        self.meta().traffic.bytes_written() != self.written_before
    }

    /// Takes the request out and hands it to hyper.
    #[inline]
    pub(crate) fn send(&mut self, request: &mut Option<Request<SendBody>>) {
        if let Some(channel) = &mut self.channel {
            channel.send(request);
        }
    }

    /// Has the connection's driver wake the request behind `cx` at `at`; false when there is no
    /// driver any more.
    pub(crate) fn set_alarm(&mut self, at: Instant, cx: &Context<'_>) -> bool {
        let meta = self.meta();
        self.alarm = match meta.clocks.set(at, cx) {
            Set::Noted(alarm) => Some(alarm),
            Set::Sooner(alarm) => {
                meta.driver().wake();
                Some(alarm)
            }
            Set::NoDriver => None,
        };
        self.alarm.is_some()
    }

    /// The same alarm, for the task behind `cx`; false when it has rung or never will.
    pub(crate) fn renew_alarm(&self, cx: &Context<'_>) -> bool {
        let clocks = &self.meta().clocks;
        self.alarm.is_some_and(|alarm| clocks.renew(alarm, cx))
    }

    /// The alarm is needed no more.
    pub(crate) fn disarm(&mut self) {
        if let Some(alarm) = self.alarm.take() {
            self.meta().clocks.clear(alarm);
        }
    }

    /// The connection's driver has ended.
    pub(crate) fn driver_ended(&mut self) {
        if let Some(channel) = &mut self.channel {
            channel.end();
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SendResult> {
        let channel = self.channel.as_mut().expect("a lease that has not ended");
        channel.poll(cx)
    }

    /// The exchange is over and the connection in order: it goes back to the pool.
    #[inline]
    pub(crate) fn finish(&mut self) {
        if let Some(channel) = self.channel.take() {
            self.pool.put_back(channel);
        }
    }

    /// The connection belongs to someone else now (an upgrade): the pool forgets it, and its permit
    /// ends with its IO.
    pub(crate) fn detach(&mut self) {
        self.meta().set_upgraded();
        drop(self.channel.take());
    }

    /// The lease for another owner, unless it has ended; this one has then.
    pub(crate) fn take(&mut self) -> Option<Self> {
        let channel = self.channel.take()?;
        Some(Self {
            channel: Some(channel),
            pool: Arc::clone(&self.pool),
            alarm: self.alarm.take(),
            ..*self
        })
    }

    /// hyper has no more of the request: a stream is over, while an HTTP/1.1 connection closes.
    pub(crate) fn fail(mut self) {
        if self.is_shared() {
            self.disarm();
            self.finish();
        }
    }

    /// A stream is about to be cancelled. The peer counts it until it has read that: a storm of
    /// such streams must not look to it like more than it allows.
    pub(crate) fn cool(&self) {
        let meta = self.meta();
        if meta.shared && self.has_written() {
            self.pool.cool(meta.id());
            meta.cool();
            // Bytes that came in between the two are told by nobody else.
            self.pool.revived();
        }
    }

    /// A request on a shared connection timed out: it may be dead.
    pub(crate) fn suspect(&self) {
        let meta = self.meta();
        if meta.shared {
            self.pool.suspect(meta.id());
            meta.traffic.set_suspect();
            // Bytes that came in between the two are told by nobody else.
            self.pool.revived();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.channel.is_some() {
            self.disarm();
            self.cool();
        }
        if let Some(mut channel) = self.channel.take() {
            channel.cancel();
            self.pool.discard(channel);
        }
    }
}
