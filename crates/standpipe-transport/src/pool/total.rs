//! The limit on connections in all, with one line of the origins that are short of a permit.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use standpipe_core::queue::{Ticket, WaitQueue};
use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::Instant;

/// How far into the line a returning connection looks for someone to yield to.
const LOOK_AHEAD: usize = 32;

/// Who stands in the line: an origin's pool.
pub(crate) trait Claimant: Sized {
    /// The permits that it holds.
    fn held(&self) -> &Arc<AtomicUsize>;
    /// The line has reached the claimant. It must take the permit, if only to drop it.
    fn permit_arrived(self: Arc<Self>, ticket: Ticket, permit: Permit<Self>);
}

/// The limit and its line.
#[derive(Debug)]
pub(crate) struct Total<U> {
    line: Mutex<Line<U>>,
    /// How many in the line no idle connection is being closed for, readable without the lock.
    short: AtomicUsize,
}

#[derive(Debug)]
struct Line<U> {
    max: usize,
    used: usize,
    /// Idle connections that are being closed for the line, no more than stand in it.
    evicting: usize,
    /// Each origin stands here once at the most, so that one with many waiters does not
    /// keep the others out.
    claims: WaitQueue<Claim<U>>,
    /// Those for whom a busy connection was closed: they have the next permit that comes free.
    promised: VecDeque<(Ticket, Claim<U>)>,
}

#[derive(Debug)]
struct Claim<U> {
    claimant: Weak<U>,
    /// The claimant's [`held`](Claimant::held): the claimant itself is never held under the lock, lest
    /// its last handle is dropped there.
    held: Arc<AtomicUsize>,
    since: Instant,
}

/// The right to one connection. Dropping it passes it on to the line.
#[derive(Debug)]
pub(crate) struct Permit<U: Claimant> {
    total: Arc<Total<U>>,
    holder: Weak<U>,
    evicted: bool,
}

impl<U> Total<U> {
    pub(crate) fn new(max: Option<usize>) -> Self {
        Self {
            line: Mutex::new(Line {
                max: max.unwrap_or(usize::MAX),
                used: 0,
                evicting: 0,
                claims: WaitQueue::new(),
                promised: VecDeque::new(),
            }),
            short: AtomicUsize::new(0),
        }
    }

    /// The limit, and how many permits are in use.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let line = self.line.lock();
        (line.max, line.used)
    }

    /// How many stand in the line without anything being closed for them.
    pub(crate) fn short(&self) -> usize {
        self.short.load(Ordering::SeqCst)
    }

    /// Whether the limit was lowered below what is in use.
    pub(crate) fn is_above(&self) -> bool {
        self.line.lock().above() > 0
    }

    /// How many idle connections are being closed for the line.
    #[cfg(test)]
    pub(super) fn evicting(&self) -> usize {
        self.line.lock().evicting
    }

    /// Decides that an idle connection is to be closed for the line, if somebody is there.
    pub(crate) fn begin_evict(&self) -> bool {
        let mut line = self.line.lock();
        let wanted = line.len() > line.evicting;
        if wanted {
            line.evicting += 1;
            self.publish(&mut line);
        }
        wanted
    }

    /// There was no idle connection to close.
    pub(crate) fn abandon_evict(&self) {
        let mut line = self.line.lock();
        line.evicting = line.evicting.saturating_sub(1);
        self.publish(&mut line);
    }

    /// Leaves the line; a permit that is on its way arrives all the same.
    pub(crate) fn withdraw(&self, ticket: Ticket) {
        let mut line = self.line.lock();
        if line.claims.remove(ticket).is_none() {
            line.promised.retain(|(promised, _)| *promised != ticket);
        }
        self.publish(&mut line);
    }

    fn publish(&self, line: &mut Line<U>) {
        line.evicting = line.evicting.min(line.len());
        let short = line.len() - line.evicting;
        self.short.store(short, Ordering::SeqCst);
    }
}

impl<U> Line<U> {
    /// All who stand in it. One to whom a permit was promised still does: the connection that was
    /// closed for it may have streams that go on, so what becomes idle before is closed for it too.
    /// Permits above a limit that was lowered stand in it as well: an idle connection is closed for each.
    fn len(&self) -> usize {
        self.claims.len() + self.promised.len() + self.above()
    }

    fn above(&self) -> usize {
        self.used.saturating_sub(self.max)
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
        if line.claims.is_empty() && line.promised.is_empty() && line.used < line.max {
            line.used += 1;
            drop(line);
            return Ok(self.permit_for(claimant));
        }
        let ticket = line.claims.push(Claim {
            claimant: Arc::downgrade(claimant),
            held: Arc::clone(claimant.held()),
            since,
        });
        self.publish(&mut line);
        Err(ticket)
    }

    /// A permit, if one is free and nobody is in line for it.
    pub(crate) fn try_request(self: &Arc<Self>, claimant: &Arc<U>) -> Option<Permit<U>> {
        let mut line = self.line.lock();
        if line.len() > 0 || line.used >= line.max {
            return None;
        }
        line.used += 1;
        drop(line);
        Some(self.permit_for(claimant))
    }

    /// A new limit. The permits that it adds go to the line; what is above it is taken from idle
    /// connections alone.
    pub(crate) fn set_max(self: &Arc<Self>, max: Option<usize>) {
        {
            let mut line = self.line.lock();
            line.max = max.unwrap_or(usize::MAX);
            self.publish(&mut line);
        }
        loop {
            let mut line = self.line.lock();
            if line.used >= line.max || line.len() == 0 {
                return;
            }
            line.used += 1;
            drop(line);
            self.release(false);
        }
    }

    /// Whether a connection of `own` that comes back is to be closed for somebody in the line. It is
    /// for an origin that has no connection at all; and for one that has waited since before
    /// `head`, the time since when the head of `own` waits, and has fewer connections by two or
    /// more. So nobody starves, shares even out, and once they are even connections seldom change
    /// hands.
    pub(crate) fn begin_yield(&self, own: &Arc<U>, head: Option<Instant>) -> bool {
        let own_held = own.held().load(Ordering::Relaxed);
        let mut line = self.line.lock();
        let mut chosen = None;
        for (ticket, claim) in line.claims.tickets().take(LOOK_AHEAD) {
            let own_claim = std::ptr::eq(claim.claimant.as_ptr(), Arc::as_ptr(own));
            if own_claim || claim.claimant.strong_count() == 0 {
                continue;
            }
            let held = claim.held.load(Ordering::Relaxed);
            let older = head.is_none_or(|head| claim.since < head);
            if held == 0 || (older && own_held > held + 1) {
                chosen = Some(ticket);
                break;
            }
        }
        let Some((ticket, claim)) =
            chosen.and_then(|ticket| Some((ticket, line.claims.remove(ticket)?)))
        else {
            return false;
        };
        line.promised.push_back((ticket, claim));
        self.publish(&mut line);
        true
    }

    fn permit_for(self: &Arc<Self>, holder: &Arc<U>) -> Permit<U> {
        holder.held().fetch_add(1, Ordering::Relaxed);
        Permit {
            total: Arc::clone(self),
            holder: Arc::downgrade(holder),
            evicted: false,
        }
    }

    /// A permit came back: whoever was promised one has it, else the line's head, else nobody.
    fn release(self: &Arc<Self>, evicted: bool) {
        let mut evicted = evicted;
        loop {
            let mut line = self.line.lock();
            if evicted {
                line.evicting = line.evicting.saturating_sub(1);
                evicted = false;
            }
            // Above a limit that was lowered a permit goes to nobody.
            let claim = if line.used > line.max {
                None
            } else {
                line.promised.pop_front().or_else(|| line.claims.pop())
            };
            if claim.is_none() {
                line.used -= 1;
            }
            self.publish(&mut line);
            drop(line);
            let Some((ticket, claim)) = claim else {
                return;
            };
            if let Some(claimant) = claim.claimant.upgrade() {
                let permit = self.permit_for(&claimant);
                return claimant.permit_arrived(ticket, permit);
            }
        }
    }
}

impl<U: Claimant> Permit<U> {
    /// Marks the permit as that of an idle connection closed for the line; see
    /// [`Total::begin_evict`].
    pub(crate) fn set_evicted(&mut self) {
        self.evicted = true;
    }
}

impl<U: Claimant> Drop for Permit<U> {
    fn drop(&mut self) {
        if let Some(holder) = self.holder.upgrade() {
            holder.held().fetch_sub(1, Ordering::Relaxed);
        }
        self.total.release(self.evicted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[derive(Debug, Default)]
    struct Origin {
        held: Arc<AtomicUsize>,
        permits: Mutex<Vec<Permit<Origin>>>,
    }

    impl Claimant for Origin {
        fn held(&self) -> &Arc<AtomicUsize> {
            &self.held
        }

        fn permit_arrived(self: Arc<Self>, _: Ticket, permit: Permit<Self>) {
            self.permits.lock().push(permit);
        }
    }

    fn held(origin: &Origin) -> usize {
        origin.permits.lock().len()
    }

    fn total_of(max: usize) -> Arc<Total<Origin>> {
        Arc::new(Total::new(Some(max)))
    }

    fn origins() -> (Arc<Origin>, Arc<Origin>) {
        (Arc::default(), Arc::default())
    }

    #[tokio::test(start_paused = true)]
    async fn a_freed_permit_goes_to_the_claimant_that_came_first() {
        let total = total_of(1);
        let (a, b) = origins();
        let now = Instant::now();
        let permit = total.request(&a, now).unwrap();
        let first = total.request(&a, now).unwrap_err();
        total.request(&b, now).unwrap_err();
        assert_eq!(total.short(), 2);
        total.withdraw(first);
        drop(permit);
        assert_eq!((held(&a), held(&b)), (0, 1));
        assert_eq!(total.usage(), (1, 1));
        let permits = std::mem::take(&mut *b.permits.lock());
        drop(permits);
        assert_eq!(total.usage(), (1, 0));
        assert_eq!(b.held.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_claimant_that_is_gone_is_passed_over() {
        let total = total_of(1);
        let (a, b) = origins();
        let now = Instant::now();
        let permit = total.request(&a, now).unwrap();
        total.request(&b, now).unwrap_err();
        drop(b);
        total.request(&a, now).unwrap_err();
        drop(permit);
        assert_eq!(held(&a), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_origin_without_a_connection_is_yielded_to_whoever_came_first() {
        let total = total_of(1);
        let (a, b) = origins();
        let early = Instant::now();
        let permit = total.request(&a, early).unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        total.request(&b, Instant::now()).unwrap_err();
        assert!(total.begin_yield(&a, Some(early)));
        assert!(!total.begin_yield(&a, Some(early)), "one is enough");
        assert!(
            total.begin_evict(),
            "what becomes idle first serves it as well"
        );
        assert!(!total.begin_evict());
        drop(permit);
        assert_eq!(held(&b), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_promised_permit_passes_by_those_who_stand_before() {
        let total = total_of(2);
        let (a, b) = origins();
        let now = Instant::now();
        let held_by_a = [
            total.request(&a, now).unwrap(),
            total.request(&a, now).unwrap(),
        ];
        total.request(&a, now).unwrap_err();
        total.request(&b, now).unwrap_err();
        assert!(total.begin_yield(&a, None));
        let [first, _second] = held_by_a;
        drop(first);
        assert_eq!((held(&a), held(&b)), (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn even_shares_stay_where_they_are_and_uneven_ones_go_to_who_waited_longer() {
        let total = total_of(4);
        let (a, b) = origins();
        let early = Instant::now();
        let _of_b = total.request(&b, early).unwrap();
        let mut of_a: Vec<_> = (0..3).map(|_| total.request(&a, early).unwrap()).collect();
        tokio::time::advance(Duration::from_secs(1)).await;
        total.request(&b, Instant::now()).unwrap_err();
        assert!(
            !total.begin_yield(&a, Some(early)),
            "its own head came first"
        );
        assert!(total.begin_yield(&a, None), "three against one");
        of_a.pop();
        assert_eq!(held(&b), 1);
        total.request(&b, Instant::now()).unwrap_err();
        assert!(!total.begin_yield(&a, None), "two against two");
    }
}
