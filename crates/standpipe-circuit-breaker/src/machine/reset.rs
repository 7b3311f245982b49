use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::CircuitBreakerConfig;

/// How long the breaker stays open, time after time.
#[derive(Debug)]
pub(super) struct ResetPeriods {
    next: Duration,
    first: Duration,
    factor: f64,
    max: Duration,
    jitter: f64,
    max_asked: Duration,
    random: u64,
}

impl ResetPeriods {
    pub(super) fn new(config: &CircuitBreakerConfig) -> Self {
        Self {
            next: config.reset_period,
            first: config.reset_period,
            factor: config.reset_factor,
            max: config.max_reset_period,
            jitter: config.reset_jitter,
            max_asked: config.max_retry_after,
            random: config
                .jitter_seed
                .unwrap_or_else(|| RandomState::new().hash_one(0)),
        }
    }

    /// The service has recovered: the next period is the first again.
    pub(super) fn restart(&mut self) {
        self.next = self.first;
    }

    /// The period that begins now: what the server `asked` for goes first. The random part is added
    /// last, so that a probe is never early and those at the maximum are spread as well.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let period = match asked {
            Some(asked) => asked.min(self.max_asked),
            None => self.next,
        };
        self.next = times(self.next, self.factor).min(self.max);
        let share = self.jitter * self.random();
        period.saturating_add(times(period, share))
    }

    /// From 0 up to 1. The generator is splitmix64: small, and good enough to spread probes.
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Without the panic of `Duration::mul_f64` where the product is too long.
fn times(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}
