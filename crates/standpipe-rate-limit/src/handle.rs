use std::sync::Arc;
use std::time::Duration;

use crate::shared::Shared;
use crate::{Quota, Unit};

/// Looks into a limiter and steers it; every [`RateLimit`](crate::RateLimit) gives one.
///
/// # Clone
///
/// All clones are of the same limiter.
#[derive(Clone, Debug)]
pub struct Handle(pub(crate) Arc<Shared>);

/// How a limiter stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimitStats {
    /// Requests in line now.
    pub waiting: usize,
    /// Requests that had to wait, so far.
    pub waited: u64,
    /// Requests that were refused, so far.
    pub rejected: u64,
    /// How long nothing goes out any more, because the server said so.
    pub paused: Option<Duration>,
    /// Whether the pace is lower than the quotas allow, because the server said so.
    pub slowed: bool,
    /// What could go out at once, by quota in the order in which they were set. Empty where the
    /// quotas are in a store.
    pub available: Vec<u64>,
}

impl Handle {
    /// How the limiter stands now.
    pub fn stats(&self) -> RateLimitStats {
        let standing = self.0.limiter.local.standing(self.0.now());
        let (waited, rejected) = self.0.counts();
        let in_store = self.0.remote.as_ref();
        RateLimitStats {
            waiting: standing.waiting + in_store.map_or(0, |remote| remote.waiting()),
            waited,
            rejected,
            paused: (standing.paused > 0).then(|| Duration::from_nanos(standing.paused)),
            slowed: standing.paced,
            available: match in_store {
                Some(_) => Vec::new(),
                None => standing.available,
            },
        }
    }

    /// Lets nothing out for `pause`. A longer pause that is under way stays. Those in line who
    /// cannot wait so long are refused at once.
    pub fn pause(&self, pause: Duration) {
        self.0.pause(pause);
    }

    /// Replaces the quota that was set as number `index`, counted from zero. The units that were
    /// taken stay taken, though no more of them than the new one holds; who waits keeps its place.
    ///
    /// Returns `false`, and does nothing, where there is no such quota or it is in a store.
    pub fn set_quota(&self, index: usize, quota: Quota) -> bool {
        self.0.remote.is_none() && self.0.limiter.local.set_quota(self.0.now(), index, quota)
    }

    /// Replaces all quotas. One that was there before goes on as it stands; what is taken of another
    /// passes to one in the same unit, as [`set_quota`](Handle::set_quota) does it, where there is one
    /// that is new; who waits keeps its place.
    ///
    /// Returns `false`, and does nothing, where the quotas are in a store.
    pub fn set_quotas(&self, quotas: &[(Quota, Unit)]) -> bool {
        if self.0.remote.is_some() {
            return false;
        }
        let limiter = &self.0.limiter;
        limiter.local.set_quotas(limiter.now(), quotas);
        limiter.note_quotas(quotas);
        true
    }
}
