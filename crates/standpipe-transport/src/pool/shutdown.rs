use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use standpipe_core::Deadline;
use tokio::time::Sleep;

use super::Shared;
use super::state::Closing;

/// How long connections that were cut may take to close: their tasks need a turn, and the runtime of
/// some may not run at all.
const CLOSING: Duration = Duration::from_secs(1);

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Requests that waited for a connection, and were failed at once.
    pub waiting: usize,
    /// Requests that were under way, and ended within the grace.
    pub finished: usize,
    /// Requests, and upgraded connections, that were cut when the grace was over.
    pub cut: usize,
    /// Whether all sockets are closed. Not so where an upgraded connection is still held by whoever
    /// has it, or the runtime of a connection does not run.
    pub complete: bool,
}

pin_project! {
    /// The future of [`Transport::shutdown`](crate::Transport::shutdown).
    #[must_use = "the grace is kept by this future: dropped, what is under way may take any time"]
    #[derive(Debug)]
    pub struct Shutdown {
        shared: Arc<Shared>,
        closing: Closing,
        grace: Deadline,
        cut: Option<usize>,
        #[pin]
        clock: Option<Sleep>,
    }
}

impl Shutdown {
    pub(crate) fn begin(shared: Arc<Shared>, grace: Duration) -> Self {
        Self {
            closing: shared.close(),
            grace: Deadline::after(grace),
            cut: None,
            clock: None,
            shared,
        }
    }
}

impl Future for Shutdown {
    type Output = ShutdownReport;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ShutdownReport> {
        let mut this = self.project();
        loop {
            // First the place to be woken at, then the look.
            this.shared.alive.register(cx.waker());
            let complete = this.shared.is_gone();
            if !complete {
                if this.clock.is_none() {
                    let until = this.grace.instant();
                    this.clock.set(Some(tokio::time::sleep_until(until)));
                }
                if let Some(clock) = this.clock.as_mut().as_pin_mut() {
                    ready!(clock.poll(cx));
                }
                if this.cut.is_none() {
                    *this.cut = Some(this.shared.cut());
                    *this.grace = Deadline::after(CLOSING);
                    this.clock.set(None);
                    continue;
                }
            }
            let cut = this.cut.unwrap_or(0);
            return Poll::Ready(ShutdownReport {
                waiting: this.closing.waiting,
                finished: this.closing.in_flight.saturating_sub(cut),
                cut,
                complete,
            });
        }
    }
}
