//! The generic cell rate algorithm (ITU-T I.371) on plain numbers: nanoseconds since an epoch.
//!
//! A bucket is one number, the *theoretical arrival time*: the instant at which it will be full
//! again. Taking units moves it on, and a taker has to wait while that would bring it further
//! ahead of the clock than the bucket is deep.

use std::time::Duration;

use crate::Quota;

/// Farther ahead than any clock of ours will read (36 years); sums of two fit into 62 bits.
pub(crate) const FAR: u64 = 1 << 60;

/// A quota's two figures, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// The time in which one unit becomes free.
    pub(crate) emission: u64,
    /// The time in which the empty bucket becomes full.
    pub(crate) depth: u64,
}

impl Pace {
    /// No limit.
    pub(crate) const FREE: Self = Self {
        emission: 0,
        depth: FAR,
    };

    pub(crate) fn of(quota: Quota) -> Self {
        let emission = nanos(quota.emission());
        Self {
            emission,
            depth: emission
                .saturating_mul(u64::from(quota.burst_size().get()))
                .min(FAR),
        }
    }

    /// What `units` take, in nanoseconds.
    #[inline]
    pub(crate) fn time_of(self, units: u64) -> u64 {
        self.emission.saturating_mul(units).min(FAR)
    }

    /// Whether the bucket is ever full enough for `units`.
    pub(crate) fn holds(self, units: u64) -> bool {
        self.emission.saturating_mul(units) <= self.depth
    }

    /// From when on `need` nanoseconds' worth can be taken from a bucket that stands at `tat`. What
    /// is more than the bucket holds has to wait for a full one, and is taken as a debt.
    pub(crate) fn due(self, tat: u64, now: u64, need: u64) -> u64 {
        (tat.max(now) + need.min(self.depth))
            .saturating_sub(self.depth)
            .max(now)
    }

    /// The time that `taken` nanoseconds' worth of this pace are at the pace of `other`.
    pub(crate) fn convert(self, taken: u64, other: Self) -> u64 {
        let units = u128::from(taken) * u128::from(other.emission);
        match units.div_ceil(u128::from(self.emission.max(1))) {
            time if time < u128::from(FAR) => time as u64,
            _ => FAR,
        }
    }

    /// How many units the bucket holds.
    pub(crate) fn available(self, tat: u64, now: u64) -> u64 {
        let room = (now + self.depth).saturating_sub(tat.max(now));
        room.checked_div(self.emission).unwrap_or(u64::MAX)
    }
}

/// Where a bucket stands after `need` was taken at `now`.
#[inline]
pub(crate) fn take(tat: u64, now: u64, need: u64) -> u64 {
    (tat.max(now) + need).min(2 * FAR)
}

/// `duration` in nanoseconds, no more than [`FAR`].
#[inline]
pub(crate) fn nanos(duration: Duration) -> u64 {
    // Without the 128 bits of `as_nanos`: this is on the way of each call.
    let whole = duration.as_secs().saturating_mul(1_000_000_000);
    whole
        .saturating_add(u64::from(duration.subsec_nanos()))
        .min(FAR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn pace(amount: u32, period: Duration, burst: u32) -> Pace {
        let n = |n| NonZeroU32::new(n).unwrap();
        Pace::of(Quota::per(n(amount), period).unwrap().burst(n(burst)))
    }

    #[test]
    fn absurd_quotas_do_not_overflow() {
        for pace in [
            pace(1, Duration::MAX, 1),
            pace(1, Duration::MAX, u32::MAX),
            pace(u32::MAX, Duration::from_nanos(1), u32::MAX),
            pace(1, Duration::from_secs(1), u32::MAX),
            Pace::FREE,
        ] {
            assert!(pace.depth <= FAR && pace.emission <= FAR);
            for now in [0, 1, FAR] {
                let tat = take(take(0, now, pace.time_of(u64::MAX)), now, FAR);
                assert!(tat <= 2 * FAR);
                assert!(pace.due(tat, now, pace.time_of(1)) <= 4 * FAR);
                pace.available(tat, now);
            }
        }
    }

    #[test]
    fn a_full_bucket_gives_its_burst_and_then_one_each_emission() {
        let pace = pace(10, Duration::from_secs(1), 3);
        let need = pace.time_of(1);
        let (mut tat, now) = (0, 5_000_000_000);
        assert_eq!(pace.available(tat, now), 3);
        for _ in 0..3 {
            assert_eq!(pace.due(tat, now, need), now);
            tat = take(tat, now, need);
        }
        assert_eq!(pace.available(tat, now), 0);
        assert_eq!(pace.due(tat, now, need), now + 100_000_000);
    }
}
