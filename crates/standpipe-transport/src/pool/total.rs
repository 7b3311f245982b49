//! The limit on connections in all, with one line of the origins that are short of a permit.

use std::sync::{Arc, Weak};

use standpipe_core::queue::{Ticket, WaitQueue};
use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::Instant;

/// Who stands in the line: an origin's pool.
pub(crate) trait Claimant: Sized {
    /// The line has reached the claimant. It must take the permit, if only to drop it.
    fn permit_arrived(self: Arc<Self>, ticket: Ticket, permit: Permit<Self>);
}

/// The limit and its line.
#[derive(Debug)]
pub(crate) struct Total<U> {
    max: usize,
    line: Mutex<Line<U>>,
    /// The length of the line less the permits on their way to it, readable without the lock.
    short: AtomicUsize,
}

#[derive(Debug)]
struct Line<U> {
    used: usize,
    /// Connections that are being closed so that their permits come free.
    yielding: usize,
    claims: WaitQueue<Claim<U>>,
}

#[derive(Debug)]
struct Claim<U> {
    claimant: Weak<U>,
    since: Instant,
}

/// The right to one connection. Dropping it passes it to the head of the line.
#[derive(Debug)]
pub(crate) struct Permit<U: Claimant> {
    total: Option<Arc<Total<U>>>,
    yielding: bool,
}

impl<U> Total<U> {
    pub(crate) fn new(max: Option<usize>) -> Self {
        Self {
            max: max.unwrap_or(usize::MAX),
            line: Mutex::new(Line {
                used: 0,
                yielding: 0,
                claims: WaitQueue::new(),
            }),
            short: AtomicUsize::new(0),
        }
    }

    /// The limit, and how many permits are in use.
    pub(crate) fn usage(&self) -> (usize, usize) {
        (self.max, self.line.lock().used)
    }

    /// How many origins' claims no connection is being closed for yet.
    pub(crate) fn short(&self) -> usize {
        self.short.load(Ordering::SeqCst)
    }

    /// Decides that a connection is closed for the line's sake: only if someone there has waited
    /// since before `head`, the time since when the head of the connection's own origin waits.
    pub(crate) fn begin_yield(&self, head: Option<Instant>) -> bool {
        let mut line = self.line.lock();
        let wanted = line.claims.len() > line.yielding;
        let older = match (line.claims.front(), head) {
            (Some(claim), Some(head)) => claim.since < head,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if wanted && older {
            line.yielding += 1;
            self.publish(&line);
        }
        wanted && older
    }

    /// The connection that was to be closed was not there any more.
    pub(crate) fn abandon_yield(&self) {
        let mut line = self.line.lock();
        line.yielding = line.yielding.saturating_sub(1);
        self.publish(&line);
    }

    /// Leaves the line; a permit that is on its way arrives all the same.
    pub(crate) fn withdraw(&self, ticket: Ticket) {
        let mut line = self.line.lock();
        line.claims.remove(ticket);
        self.publish(&line);
    }

    fn publish(&self, line: &Line<U>) {
        let short = line.claims.len().saturating_sub(line.yielding);
        self.short.store(short, Ordering::SeqCst);
    }
}

impl<U: Claimant> Total<U> {
    /// A permit, or a place in the line for one.
    pub(crate) fn request(
        self: &Arc<Self>,
        claimant: &Arc<U>,
        since: Instant,
    ) -> Result<Permit<U>, Ticket> {
        let mut line = self.line.lock();
        if line.claims.is_empty() && line.used < self.max {
            line.used += 1;
            return Ok(Permit {
                total: Some(Arc::clone(self)),
                yielding: false,
            });
        }
        let claimant = Arc::downgrade(claimant);
        let ticket = line.claims.push(Claim { claimant, since });
        self.publish(&line);
        Err(ticket)
    }

    /// A permit came back: the line's head has it, or nobody.
    fn release(self: Arc<Self>, yielded: bool) {
        let mut yielded = yielded;
        loop {
            let mut line = self.line.lock();
            if yielded {
                line.yielding = line.yielding.saturating_sub(1);
                yielded = false;
            }
            let claim = line.claims.pop();
            if claim.is_none() {
                line.used -= 1;
            }
            self.publish(&line);
            drop(line);
            let Some((ticket, claim)) = claim else {
                return;
            };
            if let Some(claimant) = claim.claimant.upgrade() {
                let permit = Permit {
                    total: Some(self),
                    yielding: false,
                };
                return claimant.permit_arrived(ticket, permit);
            }
        }
    }
}

impl<U: Claimant> Permit<U> {
    /// Marks the permit as given up for the line's sake; see [`Total::begin_yield`].
    pub(crate) fn set_yielding(&mut self) {
        self.yielding = true;
    }
}

impl<U: Claimant> Drop for Permit<U> {
    fn drop(&mut self) {
        if let Some(total) = self.total.take() {
            total.release(self.yielding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Origin {
        permits: Mutex<Vec<Permit<Origin>>>,
    }

    impl Claimant for Origin {
        fn permit_arrived(self: Arc<Self>, _: Ticket, permit: Permit<Self>) {
            self.permits.lock().push(permit);
        }
    }

    fn held(origin: &Origin) -> usize {
        origin.permits.lock().len()
    }

    #[tokio::test(start_paused = true)]
    async fn a_freed_permit_goes_to_the_claimant_that_came_first() {
        let total = Arc::new(Total::new(Some(1)));
        let (a, b) = (Arc::new(Origin::default()), Arc::new(Origin::default()));
        let now = Instant::now();
        let permit = total.request(&a, now).unwrap();
        let first = total.request(&a, now).unwrap_err();
        total.request(&b, now).unwrap_err();
        assert_eq!(total.short(), 2);
        total.withdraw(first);
        drop(permit);
        assert_eq!((held(&a), held(&b)), (0, 1));
        assert_eq!(total.usage(), (1, 1));
        b.permits.lock().clear();
        assert_eq!(total.usage(), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_claimant_that_is_gone_is_passed_over() {
        let total = Arc::new(Total::new(Some(1)));
        let (a, b) = (Arc::new(Origin::default()), Arc::new(Origin::default()));
        let now = Instant::now();
        let permit = total.request(&a, now).unwrap();
        total.request(&b, now).unwrap_err();
        drop(b);
        total.request(&a, now).unwrap_err();
        drop(permit);
        assert_eq!(held(&a), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_connection_yields_for_each_claim_and_none_for_a_younger_one() {
        let total = Arc::new(Total::new(Some(1)));
        let a = Arc::new(Origin::default());
        let early = Instant::now();
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        let late = Instant::now();
        let mut permit = total.request(&a, early).unwrap();
        total.request(&a, late).unwrap_err();
        assert!(!total.begin_yield(Some(early)), "its own head came first");
        assert!(total.begin_yield(None));
        assert!(!total.begin_yield(None), "one is enough");
        assert_eq!(total.short(), 0);
        permit.set_yielding();
        drop(permit);
        assert_eq!(held(&a), 1);
    }
}
