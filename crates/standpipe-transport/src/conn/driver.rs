//! The task of one connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use standpipe_core::{Deadline, Error, ErrorKind, Phase, RequestSent};
use tokio::time::{Instant, Sleep};

use super::{Channel, ConnMeta};
use crate::events::CloseReason;
use crate::pool::{DialTag, OriginPool, Sharing, Sweep};

/// A dial in progress. Dropped before it is finished (the runtime ended, a connector
/// panicked), it tells the origin that the dial has failed.
#[derive(Debug)]
pub(crate) struct DialGuard {
    pool: Option<Weak<OriginPool>>,
    tag: DialTag,
}

impl DialGuard {
    pub(crate) fn new(pool: &Arc<OriginPool>, tag: DialTag) -> Self {
        Self {
            pool: Some(Arc::downgrade(pool)),
            tag,
        }
    }

    pub(crate) fn fail(mut self, error: Error) {
        self.report(error);
    }

    /// Nobody needs the dial any more.
    pub(crate) fn abandon(self) {
        if let (tag, Some(pool)) = self.finish() {
            pool.dial_abandoned(tag);
        }
    }

    fn finish(mut self) -> (DialTag, Option<Arc<OriginPool>>) {
        let pool = self.pool.take().and_then(|pool| pool.upgrade());
        (self.tag, pool)
    }

    fn report(&mut self, error: Error) {
        if let Some(pool) = self.pool.take().and_then(|pool| pool.upgrade()) {
            let error = error.with_origin(pool.key.origin().clone());
            pool.dial_failed(error, self.tag);
        }
    }
}

impl Drop for DialGuard {
    fn drop(&mut self) {
        if self.pool.is_some() {
            let error = Error::new(ErrorKind::Runtime)
                .with_phase(Phase::Dial)
                .with_message("the dial was dropped before it ended");
            self.report(error);
        }
    }
}

/// Polls hyper's connection, publishes it once it can take a request, and sees to its idle
/// timeout and its lifetime.
///
/// `limit` reads the peer's current limit on streams off an HTTP/2 connection.
pub(crate) struct Driver<C, L> {
    /// Before the IO, whose end is counted under the reason noted by then.
    dropped: Dropped,
    /// Before `end`, so that the IO and with it the permit are gone before `end` reports.
    connection: Pin<Box<C>>,
    limit: L,
    fresh: Option<(Channel, DialGuard)>,
    end: End,
    idle: Option<(Duration, Pin<Box<Sleep>>)>,
    lifetime: Option<Pin<Box<Sleep>>>,
    /// Until when the peer of an HTTP/2 connection has to tell its limit on streams.
    settings: Option<Pin<Box<Sleep>>>,
    stream_limit: Option<usize>,
}

/// A driver that is dropped before it has finished went with its runtime.
struct Dropped(Option<Arc<ConnMeta>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        if let Some(meta) = self.0.take() {
            meta.end.note(CloseReason::Runtime);
        }
    }
}

/// Tells the origin that nothing more can be sent, however the driver ends.
struct End {
    pool: Weak<OriginPool>,
    meta: Arc<ConnMeta>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.meta.retire();
        if let Some(pool) = self.pool.upgrade() {
            pool.driver_ended(self.meta.id());
        }
    }
}

impl<C, L> Driver<C, L>
where
    C: Future<Output = hyper::Result<()>>,
    L: Fn(&C) -> Option<usize>,
{
    pub(crate) fn new(
        connection: C,
        limit: L,
        channel: Channel,
        guard: DialGuard,
        pool: &Weak<OriginPool>,
        idle_timeout: Option<Duration>,
        lifetime: Option<Duration>,
    ) -> Self {
        let now = Instant::now();
        let at = |timeout| Deadline::after_instant(now, timeout).instant();
        let sleep = |timeout| Box::pin(tokio::time::sleep_until(at(timeout)));
        Self {
            dropped: Dropped(Some(Arc::clone(&channel.meta))),
            connection: Box::pin(connection),
            limit,
            end: End {
                pool: Weak::clone(pool),
                meta: Arc::clone(&channel.meta),
            },
            fresh: Some((channel, guard)),
            idle: idle_timeout.map(|timeout| (timeout, sleep(timeout))),
            lifetime: lifetime.map(sleep),
            settings: None,
            stream_limit: None,
        }
    }

    /// Until the peer has told its limit on streams, the connection stands for a dial under way; for no
    /// longer than this.
    pub(crate) fn settings_within(mut self, timeout: Option<Duration>) -> Self {
        self.settings = timeout.map(|timeout| {
            let until = Deadline::after(timeout).instant();
            Box::pin(tokio::time::sleep_until(until))
        });
        self
    }

    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ended = ready!(self.connection.as_mut().poll(cx));
        if ended.is_err() {
            self.end.meta.end.note(CloseReason::Error);
        }
        Poll::Ready(())
    }

    /// A fresh connection takes requests only after its first poll, so it is published here.
    fn publish(&mut self) {
        if let Some((channel, guard)) = self.fresh.take() {
            let sharing = if channel.meta.shared {
                Sharing::Shared
            } else {
                Sharing::Exclusive
            };
            if let (tag, Some(pool)) = guard.finish() {
                pool.dialed(channel, tag, sharing);
            }
        }
    }

    /// A connection that ends before it was published is a failed dial: published, it would be found
    /// dead by its waiter, who would have another one dialled, and so on.
    fn fail_if_fresh(&mut self) {
        if let Some((channel, guard)) = self.fresh.take() {
            let error = Error::new(ErrorKind::ConnectionClosed)
                .with_phase(Phase::Dial)
                .with_request_sent(RequestSent::No)
                .with_message("the peer closed the connection before its first request");
            channel.meta.fail_dial(guard, error);
        }
    }

    fn tell(&mut self) {
        let meta = &self.end.meta;
        let limit = if meta.bytes_read() > 0 {
            (self.limit)(&self.connection)
        } else {
            None
        };
        let settled = meta.take_settling();
        let changed = limit.is_some() && limit != self.stream_limit;
        let revived = meta.take_suspect();
        if !(settled || changed || revived) {
            return;
        }
        let Some(pool) = self.end.pool.upgrade() else {
            return;
        };
        if settled {
            pool.settled(meta.id());
        }
        if revived {
            pool.revived();
        }
        if let Some(limit) = limit.filter(|_| changed) {
            self.stream_limit = Some(limit);
            pool.set_stream_limit(meta.id(), limit);
        }
    }

    /// Whether a clock changed something, so that the connection must be polled again.
    fn poll_clocks(&mut self, cx: &mut Context<'_>) -> bool {
        let mut changed = false;
        if let Some(lifetime) = &mut self.lifetime
            && lifetime.as_mut().poll(cx).is_ready()
        {
            self.lifetime = None;
            self.end.meta.retire();
            if let Some(pool) = self.end.pool.upgrade() {
                pool.retire(self.end.meta.id(), CloseReason::Lifetime);
            }
            changed = true;
        }
        if let Some(settings) = &mut self.settings
            && (self.stream_limit.is_some() || settings.as_mut().poll(cx).is_ready())
        {
            self.settings = None;
            if self.stream_limit.is_none()
                && let Some(pool) = self.end.pool.upgrade()
            {
                pool.settings_overdue(self.end.meta.id());
            }
        }
        let Some((timeout, clock)) = &mut self.idle else {
            return changed;
        };
        while clock.as_mut().poll(cx).is_ready() {
            let pool = self.end.pool.upgrade();
            match pool.map(|pool| pool.sweep(self.end.meta.id(), *timeout)) {
                Some(Sweep::CheckAt(at)) => clock.as_mut().reset(at),
                Some(Sweep::Expired) | None => {
                    self.idle = None;
                    return true;
                }
            }
        }
        changed
    }
}

impl<C, L> Future for Driver<C, L>
where
    C: Future<Output = hyper::Result<()>>,
    L: Fn(&C) -> Option<usize> + Unpin,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            this.end.meta.driver().register(cx.waker());
            let closing = this.end.meta.is_closing();
            if closing || this.poll_connection(cx).is_ready() {
                this.dropped.0 = None;
                this.fail_if_fresh();
                return Poll::Ready(());
            }
            this.publish();
            this.tell();
            if !this.poll_clocks(cx) {
                return Poll::Pending;
            }
        }
    }
}
