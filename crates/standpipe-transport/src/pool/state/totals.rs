//! What an origin's pool has done, counted under its lock.

use std::fmt;
use std::ops::AddAssign;

use crate::events::CloseReason;

/// Running totals of what is no request's fast path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StateTotals {
    pub(crate) created: u64,
    pub(crate) closed: ClosedCounts,
    pub(crate) dial_failures: u64,
    pub(crate) waited: u64,
    pub(crate) refused: u64,
}

impl StateTotals {
    pub(super) fn count_closed(&mut self, reason: CloseReason) {
        self.closed.0[reason.index()] += 1;
    }
}

/// How many connections were closed for which reason.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ClosedCounts([u64; CloseReason::ALL.len()]);

impl ClosedCounts {
    /// How many were closed for `reason`.
    pub fn of(&self, reason: CloseReason) -> u64 {
        self.0[reason.index()]
    }

    /// How many were closed in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Each reason with its count, those without one left out.
    pub fn iter(&self) -> impl Iterator<Item = (CloseReason, u64)> + '_ {
        let all = CloseReason::ALL.into_iter().zip(self.0);
        all.filter(|(_, count)| *count > 0)
    }
}

impl fmt::Debug for ClosedCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl AddAssign for ClosedCounts {
    fn add_assign(&mut self, other: Self) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum += count;
        }
    }
}
