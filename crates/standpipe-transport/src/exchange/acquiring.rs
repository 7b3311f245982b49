//! The stage in which a request waits for a connection.

use std::sync::Arc;
use std::task::{Context, Poll};

use standpipe_core::queue::Ticket;
use standpipe_core::{Deadline, Error, Phase, RequestSent};
use tokio::time::Instant;

use super::future::{Outgoing, too_late};
use crate::conn::Channel;
use crate::pool::OriginPool;

/// A request in its origin's queue.
#[derive(Debug)]
pub(super) struct Acquiring {
    // The place before the request: it is given up first.
    place: Place,
    outgoing: Outgoing,
    began: Instant,
}

/// A place in the queue, given up by its drop.
#[derive(Debug)]
struct Place {
    pool: Arc<OriginPool>,
    ticket: Ticket,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pool.leave(self.ticket);
    }
}

impl Acquiring {
    /// Joins the queue, unless it is full or the deadline has passed.
    pub(super) fn begin(pool: &Arc<OriginPool>, outgoing: Outgoing) -> Result<Self, Error> {
        let began = Instant::now();
        if outgoing
            .terms
            .deadline
            .is_some_and(|at| at.instant() <= began)
        {
            return Err(too_late(pool, RequestSent::No));
        }
        let ticket = pool.join(began)?;
        let place = Place {
            pool: Arc::clone(pool),
            ticket,
        };
        Ok(Self {
            place,
            outgoing,
            began,
        })
    }

    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Result<Channel, Error>> {
        self.place.pool.poll_waiter(self.place.ticket, cx)
    }

    /// When the wait ends.
    pub(super) fn until(&self) -> Option<Instant> {
        let limit = self.place.pool.config.timeouts.acquire;
        let limit = limit.map(|limit| Deadline::after_instant(self.began, limit));
        Deadline::earlier(limit, self.outgoing.terms.deadline).map(Deadline::instant)
    }

    /// The wait has ended without a connection.
    pub(super) fn timed_out(&self) -> Error {
        let pool = &self.place.pool;
        let waited = self.began.elapsed();
        let limit = pool.config.timeouts.acquire;
        if limit.is_some_and(|limit| waited >= limit) {
            return pool.acquire_timeout(waited);
        }
        let error = too_late(pool, RequestSent::No);
        let counts = pool.figures().0;
        if counts.dialing > 0 && counts.active + counts.idle == 0 {
            // It stood behind nobody: the time went to the peer, which does not take our connection.
            error.with_phase(Phase::Dial)
        } else {
            error
        }
    }

    /// The wait has ended with a connection: what goes out on it.
    pub(super) fn granted(self) -> (Arc<OriginPool>, Outgoing) {
        let pool = Arc::clone(&self.place.pool);
        pool.waited(self.began.elapsed());
        (pool, self.outgoing)
    }
}
