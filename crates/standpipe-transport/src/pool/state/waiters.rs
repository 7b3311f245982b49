//! Those who wait for a connection.

use std::task::{Context, Poll, Waker};

use standpipe_core::queue::Ticket;
use standpipe_core::{Error, ErrorKind, Phase};
use tokio::time::Instant;

use super::{Effects, Handle, State};

#[derive(Debug)]
pub(super) struct Waiter<C> {
    pub(super) since: Instant,
    pub(super) waker: Option<Waker>,
    pub(super) grant: Option<Result<C, Error>>,
}

/// What a waiter finds when it looks.
pub(crate) enum Found<C, P> {
    /// It was served, or failed.
    Grant(Result<C, Error>),
    /// A permit is there: begin a dial with it and look again.
    Dial(P),
}

impl<C: Handle, P> State<C, P> {
    /// A connection for a newcomer, if one is free and nobody waits.
    pub(crate) fn checkout(&mut self, fx: &mut Effects<C, P>) -> Option<C> {
        if self.waiters.is_empty() && !self.closed {
            self.take_usable(fx)
        } else {
            None
        }
    }

    /// Joins the queue.
    pub(crate) fn join(&mut self, now: Instant, fx: &mut Effects<C, P>) -> Result<Ticket, Error> {
        if self.closed {
            return Err(Error::new(ErrorKind::Shutdown).with_phase(Phase::Acquire));
        }
        if self.waiters.len() >= self.limits.waiting {
            return Err(Error::new(ErrorKind::QueueFull).with_phase(Phase::Acquire));
        }
        let ticket = self.waiters.push(Waiter {
            since: now,
            waker: None,
            grant: None,
        });
        self.serve(fx);
        Ok(ticket)
    }

    /// A waiter looks at its place. After `Pending` it is woken.
    pub(crate) fn poll_waiter(&mut self, ticket: Ticket, cx: &Context<'_>) -> Poll<Found<C, P>> {
        let Some(waiter) = self.waiters.get_mut(ticket) else {
            let gone = Error::new(ErrorKind::Other).with_message("polled after completion");
            return Poll::Ready(Found::Grant(Err(gone)));
        };
        if let Some(grant) = waiter.grant.take() {
            self.waiters.remove(ticket);
            return Poll::Ready(Found::Grant(grant));
        }
        match &mut waiter.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        match self.spare.pop() {
            Some(permit) => {
                self.dialing += 1;
                self.slots += 1;
                Poll::Ready(Found::Dial(permit))
            }
            None => Poll::Pending,
        }
    }

    /// A waiter goes away; what it was granted and did not collect serves the next one.
    pub(crate) fn leave(&mut self, ticket: Ticket, now: Instant, fx: &mut Effects<C, P>) {
        if let Some(waiter) = self.waiters.remove(ticket)
            && let Some(Ok(handle)) = waiter.grant
        {
            self.put_back(handle, now, fx);
        }
        self.serve(fx);
    }
    /// Since when the head of the queue waits.
    pub(crate) fn head_since(&self) -> Option<Instant> {
        self.waiters.front().map(|waiter| waiter.since)
    }

    pub(super) fn grant_head(&mut self, grant: Result<C, Error>, fx: &mut Effects<C, P>) {
        if let Some((_, waiter)) = self.waiters.detach_front() {
            waiter.grant = Some(grant);
            fx.wake.extend(waiter.waker.take());
        }
    }
}
