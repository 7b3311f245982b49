//! The task of one connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use standpipe_core::{Deadline, Error, ErrorKind, Phase, RequestSent};
use tokio::time::Instant;

use super::silence::Silence;
use super::timer::Timer;
use super::{Channel, ConnMeta};
use crate::events::CloseReason;
use crate::pool::{DialTag, OriginPool, Sharing, Sweep};

/// How long a cancelled stream counts on where the peer sends nothing.
const COOLING: Duration = Duration::from_millis(50);

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
    timer: Timer,
    idle_timeout: Option<Duration>,
    /// When to ask whether the connection has idled for too long.
    idle_at: Option<Instant>,
    lifetime_at: Option<Instant>,
    /// When the first of its requests gives up.
    requests_at: Option<Instant>,
    /// Until when the peer of an HTTP/2 connection has to tell its limit on streams.
    settings_at: Option<Instant>,
    /// When the streams that were cancelled count no more.
    cooled_at: Option<Instant>,
    /// When to ask whether the peer has been silent for too long.
    silent_at: Option<Instant>,
    /// The first of all these.
    next: Option<Instant>,
    registered: bool,
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
        self.meta.clocks.end();
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
        let mut driver = Self {
            dropped: Dropped(Some(Arc::clone(&channel.meta))),
            connection: Box::pin(connection),
            limit,
            end: End {
                pool: Weak::clone(pool),
                meta: Arc::clone(&channel.meta),
            },
            silent_at: channel.meta.traffic.silence().map(Silence::until),
            fresh: Some((channel, guard)),
            timer: Timer::default(),
            idle_timeout,
            idle_at: idle_timeout.map(at),
            lifetime_at: lifetime.map(at),
            requests_at: None,
            settings_at: None,
            cooled_at: None,
            next: None,
            registered: false,
            stream_limit: None,
        };
        driver.next = driver.first_time();
        driver
    }

    /// Until the peer has told its limit on streams, the connection stands for a dial under way; for no
    /// longer than this.
    pub(crate) fn settings_within(mut self, timeout: Option<Duration>) -> Self {
        self.settings_at = timeout.map(|timeout| Deadline::after(timeout).instant());
        self.next = self.first_time();
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

    /// Tells the origin what has changed.
    fn tell(&mut self) {
        let meta = &self.end.meta;
        let settled = meta.take_settling();
        if !meta.shared {
            if settled && let Some(pool) = self.end.pool.upgrade() {
                pool.settled(meta.id());
            }
            return;
        }
        // Before the peer has spoken there is only hyper's guess.
        let limit = meta
            .is_limit_known()
            .then(|| (self.limit)(&self.connection))
            .flatten();
        let changed = limit.is_some() && limit != self.stream_limit;
        let revived = meta.traffic.take_suspect();
        let going_away = meta.goaway.take();
        if !(settled || changed || revived || going_away) {
            return;
        }
        let Some(pool) = self.end.pool.upgrade() else {
            return;
        };
        if settled {
            pool.settled(meta.id());
        }
        if going_away {
            pool.retire(meta.id(), CloseReason::Peer);
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
        loop {
            if self.end.meta.clocks.has_moved() {
                self.requests_at = self.end.meta.clocks.armed();
                self.take_hint();
                if self.cooled_at.is_none() && self.end.meta.take_cooling() {
                    self.cooled_at = Some(Deadline::after(COOLING).instant());
                }
                self.next = self.first_time();
            }
            if self.timer.is_running_to(self.next) || !self.timer.poll(self.next, cx) {
                return changed;
            }
            // The timer has said that `next` has come, whatever the clock says.
            let now = Instant::now().max(self.next.unwrap_or_else(Instant::now));
            let has_come = |at: Option<Instant>| at.is_some_and(|at| at <= now);
            if has_come(self.requests_at) {
                self.requests_at = self.end.meta.clocks.ring(now);
            }
            if has_come(self.cooled_at) {
                self.cooled_at = None;
                // Those that were cancelled meanwhile count no longer either; the next one rings anew.
                self.end.meta.take_cooling();
                if let Some(pool) = self.end.pool.upgrade() {
                    pool.cooled(self.end.meta.id());
                }
            }
            if has_come(self.silent_at) {
                self.silent_at = self.look_for_silence(now);
            }
            if has_come(self.lifetime_at) {
                self.lifetime_at = None;
                self.retire();
                changed = true;
            }
            if has_come(self.settings_at) {
                self.settings_at = None;
                self.settings_overdue();
            }
            if has_come(self.idle_at) {
                self.idle_at = self.sweep();
                changed |= self.idle_at.is_none();
            }
            self.next = self.first_time();
        }
    }

    fn first_time(&self) -> Option<Instant> {
        let times = [
            self.idle_at,
            self.lifetime_at,
            self.requests_at,
            self.settings_at,
            self.cooled_at,
            self.silent_at,
        ];
        times.into_iter().flatten().min()
    }

    /// Has the connection take no further stream where its peer is silent for too long; returns when to
    /// look again.
    fn look_for_silence(&self, now: Instant) -> Option<Instant> {
        let meta = &self.end.meta;
        let silence = meta.traffic.silence()?;
        if silence.until() > now {
            return Some(silence.until());
        }
        if let Some(pool) = self.end.pool.upgrade() {
            pool.silent(meta.id());
            meta.traffic.set_suspect();
            // Bytes that came in between the two are told by nobody else.
            pool.revived();
        }
        silence.end();
        Some(silence.until())
    }

    fn retire(&self) {
        self.end.meta.retire();
        if let Some(pool) = self.end.pool.upgrade() {
            pool.retire(self.end.meta.id(), CloseReason::Lifetime);
        }
    }

    fn settings_overdue(&self) {
        if self.stream_limit.is_none()
            && let Some(pool) = self.end.pool.upgrade()
        {
            pool.settings_overdue(self.end.meta.id());
        }
    }

    /// The peer may have told how long it lets the connection idle. It is in use then.
    fn take_hint(&mut self) {
        let hint = self.end.meta.idle_hint();
        if let Some(hint) = hint.filter(|hint| self.idle_timeout.is_none_or(|own| *hint < own)) {
            let at = Deadline::after(hint).instant();
            self.idle_timeout = Some(hint);
            self.idle_at = Some(self.idle_at.map_or(at, |old| old.min(at)));
        }
    }

    /// When to ask again whether the connection has idled for too long, unless it has.
    fn sweep(&self) -> Option<Instant> {
        let timeout = self.idle_timeout?;
        let pool = self.end.pool.upgrade()?;
        match pool.sweep(self.end.meta.id(), timeout) {
            Sweep::CheckAt(at) => Some(at),
            Sweep::Expired => None,
        }
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
            if !this.registered {
                // It is polled by one task, and so always woken by the same waker.
                this.registered = true;
                this.end.meta.driver().register(cx.waker());
            }
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
