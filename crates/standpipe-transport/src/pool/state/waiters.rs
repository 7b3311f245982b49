//! Those who wait for a connection.

use std::task::{Context, Poll, Waker};

use standpipe_core::queue::Ticket;
use standpipe_core::{Error, ErrorKind, Phase};
use tokio::time::Instant;

use super::{DialTag, Effects, Handle, Idle, State};

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
    Dial(P, DialTag),
}

impl<C: Handle, P> State<C, P> {
    /// The common case of [`checkout`](State::checkout), which leaves nothing to do but to note the change
    /// in idle connections.
    #[inline]
    pub(crate) fn take_free(&mut self) -> Option<(C, isize)> {
        if !self.waiters.is_empty() || self.closed {
            return None;
        }
        match self.idle.back() {
            Some(Idle { handle, .. }) if handle.is_ready() && !handle.is_spent() => {
                self.idle.pop_back().map(|idle| (idle.handle, -1))
            }
            Some(_) => None,
            None => self.streams.take(),
        }
    }

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
            self.totals.refused += 1;
            return Err(Error::new(ErrorKind::QueueFull).with_phase(Phase::Acquire));
        }
        self.totals.waited += 1;
        let ticket = self.waiters.push(Waiter {
            since: now,
            waker: None,
            grant: None,
        });
        self.serve(fx);
        Ok(ticket)
    }

    /// A waiter looks at its place. After `Pending` it is woken.
    pub(crate) fn poll_waiter(
        &mut self,
        ticket: Ticket,
        cx: &Context<'_>,
        fx: &mut Effects<C, P>,
    ) -> Poll<Found<C, P>> {
        let Some(waiter) = self.waiters.get_mut(ticket) else {
            let gone = Error::new(ErrorKind::Other).with_message("polled after completion");
            return Poll::Ready(Found::Grant(Err(gone)));
        };
        if let Some(grant) = waiter.grant.take() {
            self.waiters.remove(ticket);
            return Poll::Ready(Found::Grant(grant));
        }
        let known = waiter.waker.as_ref();
        if !known.is_some_and(|waker| waker.will_wake(cx.waker())) {
            fx.spent.extend(waiter.waker.replace(cx.waker().clone()));
        }
        match self.spare.pop() {
            Some(permit) => Poll::Ready(Found::Dial(permit, self.begin_dial())),
            None => Poll::Pending,
        }
    }

    /// A waiter goes away; what it was granted and did not collect serves the next one.
    pub(crate) fn leave(&mut self, ticket: Ticket, now: Instant, fx: &mut Effects<C, P>) {
        if let Some(waiter) = self.waiters.remove(ticket) {
            fx.spent.extend(waiter.waker);
            match waiter.grant {
                Some(Ok(handle)) => self.put_back(handle, now, fx),
                Some(Err(error)) => fx.errors.push(error),
                None => {}
            }
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
