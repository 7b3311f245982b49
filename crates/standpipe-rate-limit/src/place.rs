use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use standpipe_core::queue::Ticket;
use tokio::task::coop::unconstrained;
use tokio::time::{Sleep, sleep_until};

use crate::local::Turn;
use crate::shared::Shared;

pin_project! {
    /// A place in the line of this process. Dropping it gives it up, and with it a turn that was
    /// given and not yet taken.
    #[derive(Debug)]
    pub(crate) struct Place {
        shared: Arc<Shared>,
        ticket: Ticket,
        // Rings when the turn should have come, or when the wait is over. Each in line has one, so
        // that one whose task is not polled keeps nobody behind it waiting.
        #[pin]
        timer: Option<Sleep>,
        left: bool,
    }

    impl PinnedDrop for Place {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !*this.left {
                let limiter = &this.shared.limiter;
                limiter.local.leave(*this.ticket, limiter.now());
            }
        }
    }
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
    pub(crate) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Duration>> {
        let mut this = self.project();
        let limiter = &this.shared.limiter;
        loop {
            let at = match limiter.local.poll(*this.ticket, limiter.now(), cx.waker()) {
                Turn::Admitted => {
                    *this.left = true;
                    return Poll::Ready(Ok(()));
                }
                Turn::TooLong(wait) => {
                    *this.left = true;
                    return Poll::Ready(Err(Duration::from_nanos(wait)));
                }
                Turn::Wait(at) => this.shared.instant(at),
            };
            match this.timer.as_mut().as_pin_mut() {
                Some(timer) if timer.deadline() == at => {}
                Some(timer) => timer.reset(at),
                None => this.timer.set(Some(sleep_until(at))),
            }
            if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                // Who has used up its budget must not miss its turn.
                ready!(Pin::new(&mut unconstrained(timer)).poll(cx));
            }
        }
    }
}
