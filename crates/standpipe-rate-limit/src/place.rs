use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use standpipe_core::queue::Ticket;
use tokio::task::coop::unconstrained;
use tokio::time::{Sleep, sleep_until};

use crate::local::Turn;
use crate::shared::Shared;

/// A place in the line of this process. Dropping it gives it up, and with it a turn that was given
/// and not yet taken.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    ticket: Ticket,
    /// Rings when the turn should have come, or when the wait is over. Each in line has one, so
    /// that one whose task is not polled keeps nobody behind it waiting.
    timer: Option<Pin<Box<Sleep>>>,
    left: bool,
}

impl Place {
    pub(crate) fn new(shared: Arc<Shared>, ticket: Ticket) -> Self {
        Self {
            shared,
            ticket,
            timer: None,
            left: false,
        }
    }

    /// Ready with the turn, or with how much longer the wait would have been.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Duration>> {
        loop {
            let now = self.shared.now();
            let at = match self.shared.limiter.local.poll(self.ticket, now, cx.waker()) {
                Turn::Admitted => {
                    self.left = true;
                    return Poll::Ready(Ok(()));
                }
                Turn::TooLong(wait) => {
                    self.left = true;
                    return Poll::Ready(Err(Duration::from_nanos(wait)));
                }
                Turn::Wait(at) => self.shared.instant(at),
            };
            let timer = match &mut self.timer {
                Some(timer) => {
                    timer.as_mut().reset(at);
                    timer
                }
                none => none.insert(Box::pin(sleep_until(at))),
            };
            // Who has used up its budget must not miss its turn.
            ready!(Pin::new(&mut unconstrained(timer.as_mut())).poll(cx));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.left {
            self.shared
                .limiter
                .local
                .leave(self.ticket, self.shared.now());
        }
    }
}
