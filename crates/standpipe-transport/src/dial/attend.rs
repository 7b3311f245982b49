use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::conn::ConnMeta;
use crate::events::CloseReason;
use crate::pool::{Bell, OriginPool};

pin_project! {
    /// Drives a connection, and sees to it that one which was used and has ended is replaced where a
    /// number of connections is to be kept. One that nobody used is not: else a server that closes what
    /// idles would be dialled for ever.
    pub(super) struct Attend<D> {
        #[pin]
        driver: Option<D>,
        meta: Arc<ConnMeta>,
        pool: Weak<OriginPool>,
        _bell: Bell,
    }
}

impl<D> Attend<D> {
    pub(super) fn new(driver: D, meta: Arc<ConnMeta>, pool: Weak<OriginPool>, bell: Bell) -> Self {
        Self {
            driver: Some(driver),
            meta,
            pool,
            _bell: bell,
        }
    }
}

impl<D: Future<Output = ()>> Future for Attend<D> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Some(driver) = this.driver.as_mut().as_pin_mut() {
            ready!(driver.poll(cx));
            // The IO and its permit go with it, so that there is room for another connection.
            this.driver.set(None);
        }
        let reason = this.meta.end.reason().unwrap_or(CloseReason::Peer);
        if this.meta.uses() > 0
            && reason.calls_for_another()
            && let Some(pool) = this.pool.upgrade()
        {
            pool.replenish();
        }
        Poll::Ready(())
    }
}
