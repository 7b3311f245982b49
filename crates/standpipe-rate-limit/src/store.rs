use std::fmt;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use standpipe_core::sync::Mutex;
use tokio::time::Instant;

use crate::Quota;
use crate::gcra::{Pace, nanos, take};

/// Where quotas are kept when it is not in the limiter itself: in another process, for a fleet.
///
/// A limiter asks once for each admission, in the order of arrival. An answer may reserve a place in
/// the near future: the limiter then waits for it and passes it on if its request goes away.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Asks for one admission. All charges are taken, or none.
    ///
    /// It has to answer within a bounded time, whatever becomes of the place where the quotas are.
    ///
    /// # Cancel safety
    ///
    /// The limiter drops the future when its request goes away. At most the units of that one
    /// request may then be lost.
    fn admit(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>>;
}

impl<T: Store + ?Sized> Store for Arc<T> {
    fn admit(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        (**self).admit(ask)
    }
}

/// A request for one admission.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ask {
    /// What is asked of each quota, in the order in which they were set.
    pub charges: Vec<Charge>,
    /// The longest wait that is of use. Zero: now or not at all.
    pub longest: Duration,
}

/// What one admission takes of one quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Charge {
    /// The quota.
    pub quota: Quota,
    /// The units to take: no more than the burst of the quota.
    pub units: u32,
    /// The units by which earlier admissions cost more than was taken for them; negative where they
    /// cost less. To be applied whatever the verdict.
    pub correction: i64,
}

/// The answer to an [`Ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// Whether, and when.
    pub verdict: Verdict,
    /// Whether the corrections were applied; else they come again with the next request.
    pub corrected: bool,
}

/// Whether a request is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The units are taken, and the request may go out after so long.
    Admitted {
        /// Zero: at once.
        after: Duration,
    },
    /// Nothing was taken.
    Refused {
        /// When to ask again, where known.
        retry_after: Option<Duration>,
    },
}

impl Ask {
    /// Asks for `charges`, to be used after `longest` at the latest.
    pub fn new(charges: Vec<Charge>, longest: Duration) -> Self {
        Self { charges, longest }
    }
}

impl Charge {
    /// Takes `units` of `quota`, with nothing to correct.
    pub fn new(quota: Quota, units: u32) -> Self {
        Self {
            quota,
            units,
            correction: 0,
        }
    }
}

impl Answer {
    /// `verdict`, with the corrections applied.
    pub fn new(verdict: Verdict) -> Self {
        Self {
            verdict,
            corrected: true,
        }
    }

    /// The same, without the corrections.
    #[must_use]
    pub fn uncorrected(mut self) -> Self {
        self.corrected = false;
        self
    }
}

/// A [`Store`] in this process: for tests, and for what a share of a fleet's quota is while its
/// store is away.
#[derive(Debug)]
pub struct MemoryStore {
    epoch: Instant,
    parts: NonZeroU32,
    buckets: Mutex<Vec<u64>>,
}

impl MemoryStore {
    /// A store of full quotas.
    pub fn new() -> Self {
        Self::share_of(NonZeroU32::MIN)
    }

    /// A store that holds one part in `parts` of each quota: of its pace and of its burst.
    ///
    /// A request that costs more than that part of the burst is admitted once the part is there as
    /// a whole, and the rest is a debt.
    pub fn share_of(parts: NonZeroU32) -> Self {
        Self {
            epoch: Instant::now(),
            parts,
            buckets: Mutex::new(Vec::new()),
        }
    }

    /// Asks for one admission at the instant of `now`.
    pub fn admit_at(&self, now: Instant, ask: &Ask) -> Verdict {
        let now = nanos(now.saturating_duration_since(self.epoch));
        let mut buckets = self.buckets.lock();
        let len = buckets.len().max(ask.charges.len());
        buckets.resize(len, 0);
        let mut at = now;
        for (tat, charge) in buckets.iter_mut().zip(&ask.charges) {
            let pace = self.pace(charge.quota);
            let correction = pace.time_of(charge.correction.unsigned_abs());
            *tat = match charge.correction {
                0 => *tat,
                1.. => take(*tat, now, correction),
                _ => tat.saturating_sub(correction),
            };
            let need = pace.time_of(u64::from(charge.units));
            at = at.max(pace.due(*tat, now, need));
        }
        let wait = Duration::from_nanos(at - now);
        if wait > ask.longest {
            return Verdict::Refused {
                retry_after: Some(wait),
            };
        }
        for (tat, charge) in buckets.iter_mut().zip(&ask.charges) {
            let need = self.pace(charge.quota).time_of(u64::from(charge.units));
            *tat = take(*tat, at, need);
        }
        Verdict::Admitted { after: wait }
    }

    fn pace(&self, quota: Quota) -> Pace {
        let parts = self.parts.get();
        let whole = Pace::of(quota);
        // At least one unit: less would never admit anything.
        let burst = (quota.burst_size().get() / parts).max(1);
        let emission = whole.time_of(1).saturating_mul(u64::from(parts));
        let share = Pace {
            emission: emission.min(crate::gcra::FAR),
            depth: 0,
        };
        Pace {
            depth: share.time_of(u64::from(burst)),
            ..share
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    fn admit(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        let verdict = self.admit_at(Instant::now(), &ask);
        Box::pin(std::future::ready(Answer::new(verdict)))
    }
}
