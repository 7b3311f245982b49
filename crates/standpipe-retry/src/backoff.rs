use std::time::Duration;

use crate::random::Random;

/// How long to wait before the next attempt, where the server does not say.
///
/// Any `Fn(u32) -> Duration` is one; [`ExponentialBackoff::seeded`] makes one that repeats.
pub trait Backoff: Send + Sync {
    /// The wait after the attempt of this number failed, counted from 0.
    fn next(&self, attempt: u32) -> Duration;
}

impl<F> Backoff for F
where
    F: Fn(u32) -> Duration + Send + Sync,
{
    fn next(&self, attempt: u32) -> Duration {
        self(attempt)
    }
}

/// Waits that grow by a factor: `min(initial * multiplier^attempt + jitter, max)`, where `attempt`
/// counts from 0.
///
/// It is data. No value of a field panics or overflows: a product that is no number or below zero
/// counts as `initial`, one too large as `max`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct ExponentialBackoff {
    /// The wait after the first attempt; 1 s unless set.
    #[cfg_attr(feature = "serde", serde(with = "standpipe_core::data::duration"))]
    pub initial: Duration,
    /// By what each wait is longer than the one before it; 2.0 unless set.
    pub multiplier: f64,
    /// No wait is longer; 30 s unless set.
    #[cfg_attr(feature = "serde", serde(with = "standpipe_core::data::duration"))]
    pub max: Duration,
    /// How clients that failed together are kept from coming back together.
    pub jitter: Jitter,
}

/// What chance does to a wait.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Jitter {
    /// Nothing.
    None,
    /// Adds a part of the wait, between nothing and this share of it, before the wait is cut to the
    /// longest. The default, with 0.1.
    Proportional(f64),
    /// Takes any wait from none to the whole.
    Full,
    /// Takes any wait from half to the whole.
    Equal,
}

impl Default for ExponentialBackoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            multiplier: 2.0,
            max: Duration::from_secs(30),
            jitter: Jitter::default(),
        }
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self::Proportional(0.1)
    }
}

impl ExponentialBackoff {
    /// Waits that begin with `initial`.
    pub fn new(initial: Duration) -> Self {
        Self {
            initial,
            ..Self::default()
        }
    }

    /// Sets by what each wait is longer than the one before it.
    #[must_use]
    pub fn multiplier(mut self, multiplier: f64) -> Self {
        self.multiplier = multiplier;
        self
    }

    /// Sets the longest wait.
    #[must_use]
    pub fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// Sets what chance does.
    #[must_use]
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// The wait after attempt number `attempt`, with `chance` between 0 and 1.
    pub fn delay(&self, attempt: u32, chance: f64) -> Duration {
        if self.initial.is_zero() || self.max.is_zero() {
            return Duration::ZERO;
        }
        let initial = self.initial.as_secs_f64();
        let exponent = i32::try_from(attempt).unwrap_or(i32::MAX);
        let base = match initial * self.multiplier.powi(exponent) {
            product if product >= 0.0 => product,
            _ => initial,
        };
        let chance = if chance > 0.0 { chance.min(1.0) } else { 0.0 };
        let max = self.max.as_secs_f64();
        let wait = match self.jitter {
            Jitter::Proportional(share) if share > 0.0 => (share * base).mul_add(chance, base),
            Jitter::None | Jitter::Proportional(_) => base,
            Jitter::Full => base.min(max) * chance,
            Jitter::Equal => base.min(max) * f64::midpoint(1.0, chance),
        };
        // Longer than a duration can say is longer than the longest.
        Duration::try_from_secs_f64(wait).map_or(self.max, |wait| wait.min(self.max))
    }

    /// A [`Backoff`] with chance of its own, which repeats for the same `seed`.
    pub fn seeded(self, seed: u64) -> impl Backoff + 'static {
        let random = Random::seeded(seed);
        move |attempt| self.delay(attempt, random.next())
    }
}
