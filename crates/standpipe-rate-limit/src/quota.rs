use std::num::NonZeroU32;
use std::time::Duration;

use standpipe_core::{Error, ErrorKind};

/// So much in so much time, with a burst: a quota that cannot be wrong.
///
/// It is a bucket of `burst` units which refills evenly, at `amount` units in each `period`: in any
/// window of time no more is admitted than `burst` and what the window refills. Unless set
/// otherwise the burst is the amount, so after an idle period up to `amount` requests may go out at
/// once. For a server that counts in fixed windows, where a burst at the end of one and another at
/// the beginning of the next are too many, choose a small [`burst`](Quota::burst).
///
/// The pace is kept to the nanosecond for each unit, rounded to the slower side.
///
/// ```
/// use standpipe_rate_limit::Quota;
/// use std::num::NonZeroU32;
///
/// let sixty = NonZeroU32::new(60).unwrap();
/// let quota = Quota::per_minute(sixty).burst(NonZeroU32::MIN);
/// assert_eq!(quota.emission(), std::time::Duration::from_secs(1));
/// ```
///
/// With the feature `serde` it is written as `{ amount = 60, per = "1m" }`, or
/// `{ amount = 60, per = "1m", burst = 10 }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(into = "written::Quota", try_from = "written::Quota")
)]
pub struct Quota {
    amount: NonZeroU32,
    period: Duration,
    burst: NonZeroU32,
}

impl Quota {
    /// `amount` units a second.
    pub const fn per_second(amount: NonZeroU32) -> Self {
        Self::of(amount, Duration::from_secs(1))
    }

    /// `amount` units a minute.
    pub const fn per_minute(amount: NonZeroU32) -> Self {
        Self::of(amount, Duration::from_secs(60))
    }

    /// `amount` units an hour.
    pub const fn per_hour(amount: NonZeroU32) -> Self {
        Self::of(amount, Duration::from_secs(60 * 60))
    }

    /// `amount` units in each `period`.
    ///
    /// A pace slower than one unit in thirty-six years is taken as that.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](ErrorKind::Config) for a period of zero.
    pub fn per(amount: NonZeroU32, period: Duration) -> Result<Self, Error> {
        if period.is_zero() {
            let message = "the period of a quota is zero";
            return Err(Error::new(ErrorKind::Config).with_message(message));
        }
        Ok(Self::of(amount, period))
    }

    /// The same with room for `burst` units at once; it is also the most that one request may cost.
    #[must_use]
    pub const fn burst(mut self, burst: NonZeroU32) -> Self {
        self.burst = burst;
        self
    }

    /// How many units each [period](Quota::period) has.
    pub const fn amount(self) -> NonZeroU32 {
        self.amount
    }

    /// The time in which [`amount`](Quota::amount) units become free.
    pub const fn period(self) -> Duration {
        self.period
    }

    /// How many units may go at once.
    pub const fn burst_size(self) -> NonZeroU32 {
        self.burst
    }

    /// The time in which one unit becomes free.
    pub const fn emission(self) -> Duration {
        let nanos = self.period.as_nanos().div_ceil(self.amount.get() as u128);
        if nanos > u64::MAX as u128 {
            return Duration::from_nanos(u64::MAX);
        }
        Duration::from_nanos(nanos as u64)
    }

    const fn of(amount: NonZeroU32, period: Duration) -> Self {
        Self {
            amount,
            period,
            burst: amount,
        }
    }
}

/// What a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Requests: each takes one.
    Request,
    /// Units of cost, such as tokens: each request takes what its cost function says.
    Cost,
}

#[cfg(feature = "serde")]
mod written {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use standpipe_core::Error;

    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Quota {
        amount: NonZeroU32,
        #[serde(with = "standpipe_core::data::duration")]
        per: Duration,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        burst: Option<NonZeroU32>,
    }

    impl From<super::Quota> for Quota {
        fn from(quota: super::Quota) -> Self {
            Self {
                amount: quota.amount,
                per: quota.period,
                burst: Some(quota.burst).filter(|&burst| burst != quota.amount),
            }
        }
    }

    impl TryFrom<Quota> for super::Quota {
        type Error = Error;

        fn try_from(written: Quota) -> Result<Self, Error> {
            let quota = Self::per(written.amount, written.per)?;
            Ok(quota.burst(written.burst.unwrap_or(written.amount)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    #[test]
    fn a_period_of_zero_is_refused_and_the_longest_is_not() {
        let error = Quota::per(n(1), Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let slow = Quota::per(n(1), Duration::MAX).unwrap();
        assert_eq!(slow.emission(), Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn the_pace_is_rounded_to_the_slower_side() {
        let third = Quota::per_second(n(3));
        assert_eq!(third.emission(), Duration::from_nanos(333_333_334));
        assert_eq!(third.burst_size(), n(3));
        assert_eq!(third.burst(n(9)).burst_size(), n(9));
        let fastest = Quota::per_second(NonZeroU32::MAX);
        assert_eq!(fastest.emission(), Duration::from_nanos(1));
    }
}
