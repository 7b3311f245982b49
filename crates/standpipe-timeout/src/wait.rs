use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::task::coop::unconstrained;
use tokio::time::{Sleep, sleep_until};

use crate::plan::{Clock, Limit};

pin_project! {
    /// The timer of a body: one for all the waits for its frames.
    #[derive(Debug)]
    pub(crate) struct Wait {
        #[pin]
        timer: Sleep,
        // Whose limit it is; none while the reader has a frame in hand, and the timer, which then
        // stands where the last wait left it, means nothing.
        clock: Option<Clock>,
    }
}

impl Wait {
    pub(crate) fn new(limit: Limit) -> Self {
        Self {
            timer: sleep_until(limit.at),
            clock: Some(limit.clock),
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.clock.is_some()
    }

    pub(crate) fn begin(self: Pin<&mut Self>, limit: Limit) {
        let this = self.project();
        *this.clock = Some(limit.clock);
        if this.timer.deadline() != limit.at {
            this.timer.reset(limit.at);
        }
    }

    pub(crate) fn end(self: Pin<&mut Self>) {
        *self.project().clock = None;
    }

    /// Ready with whose time ran out.
    pub(crate) fn poll_over(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Clock> {
        let this = self.project();
        let Some(clock) = *this.clock else {
            return Poll::Pending;
        };
        // A body that uses up the task's budget on each poll must not stop the clock.
        ready!(Pin::new(&mut unconstrained(this.timer)).poll(cx));
        Poll::Ready(clock)
    }
}
