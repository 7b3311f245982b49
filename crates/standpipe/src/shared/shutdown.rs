use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use standpipe_transport::ShutdownReport;

use crate::{Pool, Shutdown};

/// How the clients of the process were shut down; none for one that was not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedShutdownReport {
    /// That of [`shared`](crate::shared).
    pub pool: Option<ShutdownReport>,
}

pin_project! {
    /// The future of [`shutdown_shared`](crate::shutdown_shared).
    #[must_use = "the grace is kept by this future: dropped, what is under way may take any time"]
    #[derive(Debug)]
    pub struct SharedShutdown {
        #[pin]
        pool: Ending,
    }
}

impl SharedShutdown {
    pub(super) fn new(pool: Option<Pool>, grace: Duration) -> Self {
        Self {
            pool: Ending::new(pool.map(|pool| pool.shutdown(grace))),
        }
    }
}

impl Future for SharedShutdown {
    type Output = SharedShutdownReport;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<SharedShutdownReport> {
        let mut this = self.project();
        ready!(this.pool.as_mut().poll_ended(cx));
        Poll::Ready(SharedShutdownReport {
            pool: *this.pool.project().report,
        })
    }
}

pin_project! {
    /// A shutdown with what came of it.
    #[derive(Debug)]
    struct Ending {
        #[pin]
        shutdown: Option<Shutdown>,
        report: Option<ShutdownReport>,
    }
}

impl Ending {
    fn new(shutdown: Option<Shutdown>) -> Self {
        Self {
            shutdown,
            report: None,
        }
    }

    fn poll_ended(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Some(shutdown) = this.shutdown.as_mut().as_pin_mut() {
            *this.report = Some(ready!(shutdown.poll(cx)));
            this.shutdown.set(None);
        }
        Poll::Ready(())
    }
}
