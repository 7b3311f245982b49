use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use standpipe_transport::ShutdownReport;

#[cfg(feature = "blocking")]
use crate::blocking;
use crate::{Pool, Shutdown};

/// How the clients of the process were shut down; none for one that was not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedShutdownReport {
    /// That of [`shared`](crate::shared).
    pub pool: Option<ShutdownReport>,
    /// That of [`shared_blocking`](crate::shared_blocking).
    #[cfg(feature = "blocking")]
    pub blocking: Option<ShutdownReport>,
}

/// The future of [`shutdown_shared`](crate::shutdown_shared).
#[must_use = "the grace is kept by this future: dropped, what is under way may take any time"]
#[derive(Debug)]
pub struct SharedShutdown {
    pool: Ending<Pool>,
    #[cfg(feature = "blocking")]
    blocking: Ending<blocking::Pool>,
}

impl SharedShutdown {
    pub(super) fn new(
        grace: Duration,
        pool: Option<Pool>,
        #[cfg(feature = "blocking")] blocking: Option<blocking::Pool>,
    ) -> Self {
        Self {
            pool: Ending::new(pool, |pool| pool.shutdown(grace)),
            #[cfg(feature = "blocking")]
            blocking: Ending::new(blocking, |pool| pool.get_ref().shutdown(grace)),
        }
    }
}

impl Future for SharedShutdown {
    type Output = SharedShutdownReport;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<SharedShutdownReport> {
        let this = self.get_mut();
        // Both, so that the clock of each runs.
        let pool = this.pool.poll(cx);
        #[cfg(feature = "blocking")]
        let blocking = this.blocking.poll(cx);
        Poll::Ready(SharedShutdownReport {
            pool: ready!(pool),
            #[cfg(feature = "blocking")]
            blocking: ready!(blocking),
        })
    }
}

/// A client that ends, with what came of it. It is boxed: a process shuts down once.
#[derive(Debug)]
struct Ending<C> {
    /// The client is kept until then, and with it the thread that it may have.
    under_way: Option<(Pin<Box<Shutdown>>, C)>,
    report: Option<ShutdownReport>,
}

impl<C> Ending<C> {
    fn new(client: Option<C>, shut_down: impl FnOnce(&C) -> Shutdown) -> Self {
        Self {
            under_way: client.map(|client| (Box::pin(shut_down(&client)), client)),
            report: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<ShutdownReport>> {
        if let Some((shutdown, _)) = &mut self.under_way {
            self.report = Some(ready!(shutdown.as_mut().poll(cx)));
            self.under_way = None;
        }
        Poll::Ready(self.report)
    }
}
