use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use standpipe_core::sync::atomic::{AtomicU64, Ordering};
use standpipe_core::{BoxError, Closing, Error};

use crate::budget::ServiceBudget;
use crate::hooks::Hooks;
use crate::random::Random;
use crate::{Backoff, Budget, BudgetPolicy, Policy, RetryPolicy, RetryStats};

pub(crate) type WallClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What a layer is set to.
#[derive(Clone)]
pub(crate) struct Settings<C> {
    pub(crate) policy: RetryPolicy,
    pub(crate) judge: Option<Arc<dyn Policy>>,
    pub(crate) backoff: Option<Arc<dyn Backoff>>,
    pub(crate) budget: Option<Arc<dyn Budget>>,
    pub(crate) hooks: Hooks,
    pub(crate) clock: Option<WallClock>,
    pub(crate) seed: Option<u64>,
    pub(crate) closing: Option<Closing>,
    /// What goes on under these settings; new where there is none.
    pub(crate) keep: Option<Kept>,
    pub(crate) peek: C,
}

/// What is left of a service whose settings change.
#[derive(Clone)]
pub(crate) struct Kept {
    policy: Option<BudgetPolicy>,
    budget: ServiceBudget,
    counts: Arc<Counts>,
}

/// What all clones of a service have in common.
pub(crate) struct Shared<C> {
    pub(crate) settings: Settings<C>,
    pub(crate) budget: ServiceBudget,
    pub(crate) random: Random,
    pub(crate) counts: Arc<Counts>,
}

/// Counted off the fast path only.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) retries: AtomicU64,
    pub(crate) resends: AtomicU64,
    pub(crate) given_up: AtomicU64,
    pub(crate) over_budget: AtomicU64,
}

impl Counts {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> RetryStats {
        RetryStats {
            retries: self.retries.load(Ordering::Relaxed),
            resends: self.resends.load(Ordering::Relaxed),
            given_up: self.given_up.load(Ordering::Relaxed),
            over_budget: self.over_budget.load(Ordering::Relaxed),
        }
    }
}

impl<C> Shared<C> {
    pub(crate) fn new(settings: Settings<C>) -> Self {
        let kept = settings.keep.as_ref();
        let budget = match (&settings.budget, settings.policy.budget) {
            (Some(given), _) => ServiceBudget::Given(Arc::clone(given)),
            (None, policy) => match kept {
                Some(kept) if kept.policy == policy && !kept.budget.is_given() => {
                    kept.budget.clone()
                }
                _ => ServiceBudget::of(policy),
            },
        };
        Self {
            budget,
            random: settings.seed.map_or_else(Random::unseeded, Random::seeded),
            counts: kept.map_or_else(Arc::default, |kept| Arc::clone(&kept.counts)),
            settings,
        }
    }

    /// Whether nobody is to wait any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.settings
            .closing
            .as_ref()
            .is_some_and(Closing::is_closed)
    }

    /// What another service goes on with.
    pub(crate) fn kept(&self) -> Kept {
        Kept {
            policy: self.settings.policy.budget,
            budget: self.budget.clone(),
            counts: Arc::clone(&self.counts),
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        match &self.settings.clock {
            Some(clock) => clock(),
            None => SystemTime::now(),
        }
    }

    /// An error of the inner service as one of ours.
    pub(crate) fn error(&self, error: BoxError) -> Error {
        let sent = match &self.settings.hooks.foreign_sent {
            Some(ask) if Error::find(error.as_ref()).is_none() => Some(ask(&error)),
            _ => None,
        };
        let error = Error::from_boxed(error);
        match sent {
            Some(sent) => error.with_request_sent(sent),
            None => error,
        }
    }
}

impl<C> fmt::Debug for Settings<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("policy", &self.policy)
            .field("own_judge", &self.judge.is_some())
            .field("own_backoff", &self.backoff.is_some())
            .field("own_budget", &self.budget.is_some())
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}

impl<C> fmt::Debug for Shared<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("settings", &self.settings)
            .field("stats", &self.counts.snapshot())
            .finish_non_exhaustive()
    }
}
