use std::time::Duration;

use tokio::time::Instant;

use crate::{Cause, Span, Window};

/// The latest calls of a closed breaker.
#[derive(Debug)]
pub(super) struct Sliding {
    samples: Samples,
    totals: Totals,
    rules: Window,
}

/// What one ended call was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    calls: u64,
    failures: u64,
    slow: u64,
}

#[derive(Debug)]
enum Samples {
    Calls {
        ring: Box<[Sample]>,
        next: usize,
    },
    Time {
        buckets: Box<[Totals; BUCKETS]>,
        current: usize,
        began: Option<Instant>,
        length: Duration,
    },
}

const BUCKETS: usize = 10;

impl Sliding {
    pub(super) fn new(rules: Window) -> Self {
        let samples = match rules.span {
            Span::Calls(calls) => Samples::Calls {
                ring: vec![Sample::default(); calls as usize].into_boxed_slice(),
                next: 0,
            },
            Span::Time(time) => Samples::Time {
                buckets: Default::default(),
                current: 0,
                began: None,
                length: time / BUCKETS as u32,
            },
        };
        Self {
            samples,
            totals: Totals::default(),
            rules,
        }
    }

    /// Forgets every call.
    pub(super) fn clear(&mut self) {
        self.totals = Totals::default();
        match &mut self.samples {
            // What lies in the ring beyond the total is not looked at.
            Samples::Calls { next, .. } => *next = 0,
            Samples::Time { buckets, began, .. } => {
                **buckets = Default::default();
                *began = None;
            }
        }
    }

    /// Takes in a call that ended `now`, and says by what rule the breaker opens.
    pub(super) fn record(&mut self, sample: Sample, now: Instant) -> Option<Cause> {
        match &mut self.samples {
            Samples::Calls { ring, next } => {
                if self.totals.calls == ring.len() as u64 {
                    self.totals.remove(Totals::of(ring[*next]));
                }
                ring[*next] = sample;
                *next = (*next + 1) % ring.len();
            }
            Samples::Time {
                buckets,
                current,
                began,
                length,
            } => {
                let gone = advance(began, *length, now);
                for _ in 0..gone.min(BUCKETS) {
                    *current = (*current + 1) % BUCKETS;
                    self.totals.remove(buckets[*current]);
                    buckets[*current] = Totals::default();
                }
                buckets[*current].add(sample);
            }
        }
        self.totals.add(sample);
        self.verdict()
    }

    fn verdict(&self) -> Option<Cause> {
        let Totals {
            calls,
            failures,
            slow,
        } = self.totals;
        if calls < u64::from(self.rules.minimum_calls) {
            return None;
        }
        // A quotient of whole numbers rounds as a literal such as 0.07 does; a product would not.
        let share = |part: u64| part as f64 / calls as f64;
        if self
            .rules
            .failure_rate
            .is_some_and(|rate| share(failures) >= rate)
        {
            return Some(Cause::FailureRate);
        }
        let limit = self.rules.slow_calls?;
        (share(slow) >= limit.rate).then_some(Cause::SlowCallRate)
    }
}

/// How many buckets have gone by since the current one `began`, which is moved on by as many.
fn advance(began: &mut Option<Instant>, length: Duration, now: Instant) -> usize {
    let start = *began.get_or_insert(now);
    let since = now.saturating_duration_since(start);
    if since < length {
        return 0;
    }
    let gone = since.as_nanos() / length.as_nanos();
    // All are gone, where it is so many that the multiplication could overflow.
    let gone = usize::try_from(gone).unwrap_or(BUCKETS).min(BUCKETS);
    *began = Some(match gone {
        BUCKETS => now,
        few => start + length * few as u32,
    });
    gone
}

impl Totals {
    fn of(sample: Sample) -> Self {
        let mut totals = Self::default();
        totals.add(sample);
        totals
    }

    fn add(&mut self, sample: Sample) {
        self.calls += 1;
        self.failures += u64::from(sample.failed);
        self.slow += u64::from(sample.slow);
    }

    fn remove(&mut self, gone: Self) {
        self.calls -= gone.calls;
        self.failures -= gone.failures;
        self.slow -= gone.slow;
    }
}
