use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use standpipe_core::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// What keeps retries from becoming a storm: each request pays in, each retry takes out.
///
/// The two methods are those of `tower::retry::budget::Budget`; with this crate's feature `tower`,
/// a `TowerBudget` makes any of those one of these. [`RetryBudget`] is the default.
pub trait Budget: Send + Sync {
    /// A request was made. It is called once for each, whatever comes of it.
    fn deposit(&self);

    /// Whether one retry may be made now; where it may, it is paid for.
    fn withdraw(&self) -> bool;
}

impl<T: Budget + ?Sized> Budget for Arc<T> {
    fn deposit(&self) {
        (**self).deposit();
    }

    fn withdraw(&self) -> bool {
        (**self).withdraw()
    }
}

/// The settings of a [`RetryBudget`], as data.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct BudgetPolicy {
    /// Which share of the requests may be made again; 0.2 unless set. What is no number, or below
    /// zero, counts as zero.
    pub ratio: f64,
    /// How many retries each second may have on top of that; 10 unless set.
    pub per_second: u32,
    /// How many retries that were paid for and not made are remembered; 100 unless set.
    pub carry: u32,
}

impl Default for BudgetPolicy {
    fn default() -> Self {
        Self {
            ratio: 0.2,
            per_second: 10,
            carry: 100,
        }
    }
}

impl BudgetPolicy {
    /// Sets which share of the requests may be made again.
    #[must_use]
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// Sets how many retries each second may have on top of that.
    #[must_use]
    pub fn per_second(mut self, retries: u32) -> Self {
        self.per_second = retries;
        self
    }

    /// Sets how many retries that were paid for and not made are remembered.
    #[must_use]
    pub fn carry(mut self, retries: u32) -> Self {
        self.carry = retries;
        self
    }
}

/// A share of the requests plus so many per second, without a lock.
///
/// Over any time, the retries are at most `ratio` times the requests made in it, plus `per_second`
/// for each second begun, plus what was carried over, which a new budget has none of. The seconds
/// are counted from when the budget was made, and what a second leaves unused is lost with it.
///
/// # Cancel safety
///
/// A retry pays when it is decided upon. One that is dropped while it waits is paid for.
pub struct RetryBudget {
    /// Paid in and not used, in thousandths of a retry.
    balance: AtomicU64,
    /// The second in the upper half, and how many retries it has had in the lower.
    second: AtomicU64,
    begun: Instant,
    deposit: u64,
    most: u64,
    per_second: u32,
}

const RETRY: u64 = 1000;

impl RetryBudget {
    /// A budget without savings.
    pub fn new(policy: BudgetPolicy) -> Self {
        Self {
            balance: AtomicU64::new(0),
            second: AtomicU64::new(0),
            begun: Instant::now(),
            // The conversion saturates, and makes zero of what is no number.
            deposit: (policy.ratio * RETRY as f64).round() as u64,
            most: u64::from(policy.carry) * RETRY,
            per_second: policy.per_second,
        }
    }

    /// [`withdraw`](Budget::withdraw) for those who have read the clock already.
    pub fn withdraw_at(&self, now: Instant) -> bool {
        // What is lost with the second goes first.
        self.take_from_second(now.saturating_duration_since(self.begun)) || self.take_from_balance()
    }

    /// How many retries it allows now: the rest of this second's and what was saved.
    pub fn available(&self) -> u64 {
        let now = self.begun.elapsed().as_secs() & u64::from(u32::MAX);
        let seen = self.second.load(Ordering::Relaxed);
        let used = match seen >> 32 {
            second if second >= now => seen & u64::from(u32::MAX),
            _ => 0,
        };
        let saved = self.balance.load(Ordering::Relaxed) / RETRY;
        u64::from(self.per_second).saturating_sub(used) + saved
    }

    fn take_from_second(&self, age: Duration) -> bool {
        let now = age.as_secs() & u64::from(u32::MAX);
        let mut seen = self.second.load(Ordering::Relaxed);
        loop {
            // A thread that read its clock a little earlier still takes from the later second.
            let (second, used) = match (seen >> 32, seen & u64::from(u32::MAX)) {
                (second, used) if second >= now => (second, used),
                _ => (now, 0),
            };
            if used >= u64::from(self.per_second) {
                return false;
            }
            let taken = (second << 32) | (used + 1);
            let swapped = self.second.compare_exchange_weak(
                seen,
                taken,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => return true,
                Err(actual) => seen = actual,
            }
        }
    }

    fn take_from_balance(&self) -> bool {
        let take = |balance: u64| balance.checked_sub(RETRY);
        let taken = self
            .balance
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.is_ok()
    }
}

impl Budget for RetryBudget {
    #[inline]
    fn deposit(&self) {
        // Full is the usual state, and is only read.
        let mut seen = self.balance.load(Ordering::Relaxed);
        while seen < self.most {
            let paid = seen.saturating_add(self.deposit).min(self.most);
            let swapped = self.balance.compare_exchange_weak(
                seen,
                paid,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => return,
                Err(actual) => seen = actual,
            }
        }
    }

    fn withdraw(&self) -> bool {
        self.withdraw_at(Instant::now())
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new(BudgetPolicy::default())
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let balance = self.balance.load(Ordering::Relaxed) / RETRY;
        f.debug_struct("RetryBudget")
            .field("balance", &balance)
            .field("per_second", &self.per_second)
            .finish_non_exhaustive()
    }
}

/// Any budget of tower's as one of ours.
#[cfg(feature = "tower")]
#[derive(Clone, Copy, Debug, Default)]
pub struct TowerBudget<B>(pub B);

#[cfg(feature = "tower")]
impl<B> Budget for TowerBudget<B>
where
    B: tower::retry::budget::Budget + Send + Sync,
{
    fn deposit(&self) {
        self.0.deposit();
    }

    fn withdraw(&self) -> bool {
        self.0.withdraw()
    }
}

/// The budget of one service.
#[derive(Clone)]
pub(crate) enum ServiceBudget {
    None,
    Own(Arc<RetryBudget>),
    Given(Arc<dyn Budget>),
}

impl ServiceBudget {
    pub(crate) fn of(policy: Option<BudgetPolicy>) -> Self {
        match policy {
            Some(policy) => Self::Own(Arc::new(RetryBudget::new(policy))),
            None => Self::None,
        }
    }

    pub(crate) fn is_given(&self) -> bool {
        matches!(self, Self::Given(_))
    }

    #[inline]
    pub(crate) fn deposit(&self) {
        match self {
            Self::None => {}
            Self::Own(budget) => budget.deposit(),
            Self::Given(budget) => budget.deposit(),
        }
    }

    /// None where there is no limit, or one that cannot tell.
    pub(crate) fn available(&self) -> Option<u64> {
        match self {
            Self::None | Self::Given(_) => None,
            Self::Own(budget) => Some(budget.available()),
        }
    }

    pub(crate) fn withdraw(&self, now: Instant) -> bool {
        match self {
            Self::None => true,
            Self::Own(budget) => budget.withdraw_at(now),
            Self::Given(budget) => budget.withdraw(),
        }
    }
}
