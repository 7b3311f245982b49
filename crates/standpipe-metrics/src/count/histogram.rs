use std::sync::OnceLock;

use standpipe_core::sync::atomic::{AtomicU64, Ordering};

use super::add;

/// The first bucket holds what is below `2^FIRST` nanoseconds, the last what is above `2^LAST`.
const FIRST: u32 = 5;
const LAST: u32 = 44;
/// Four buckets for each power of two: the middle of a bucket is off by 12.5 % at most.
const BUCKETS: usize = 1 + 4 * (LAST - FIRST) as usize;

/// Different buckets that are counted before the whole table is made.
const FEW: usize = 4;
/// A word of the few is the bucket's number plus one in its high byte, and the count below.
const TAG: u32 = 56;

/// A log-linear histogram of durations, within 12.5 % from 32 ns to 4.8 hours.
///
/// Most hosts are asked seldom and answer alike: their few buckets are counted in place. The whole
/// table is made when they do not suffice. What the few have counted stays there, so nothing has to
/// be moved while others count.
#[derive(Debug)]
pub(crate) struct Histogram {
    few: [AtomicU64; FEW],
    all: OnceLock<Box<[AtomicU64]>>,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self {
            few: std::array::from_fn(|_| AtomicU64::new(0)),
            all: OnceLock::new(),
        }
    }

    pub(super) fn record(&self, nanos: u64, owned: bool) {
        let bucket = bucket_of(nanos);
        let all = match self.all.get() {
            Some(all) => all,
            None if self.record_among_few(bucket, owned) => return,
            None => self.all.get_or_init(|| {
                let zeros = (0..BUCKETS).map(|_| AtomicU64::new(0));
                zeros.collect()
            }),
        };
        add(&all[bucket], 1, owned);
    }

    fn record_among_few(&self, bucket: usize, owned: bool) -> bool {
        let tag = bucket as u64 + 1;
        for word in &self.few {
            let mut seen = word.load(Ordering::Relaxed);
            if seen == 0 {
                let first = tag << TAG | 1;
                match word.compare_exchange(0, first, Ordering::Release, Ordering::Relaxed) {
                    Ok(_) => return true,
                    Err(taken) => seen = taken,
                }
            }
            // A word never changes its bucket, so it may be added to without looking again.
            if seen >> TAG == tag {
                add(word, 1, owned);
                return true;
            }
        }
        false
    }
}

/// What some histograms have counted together, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Distribution {
    counts: [u64; BUCKETS],
}

impl Distribution {
    pub(crate) fn new() -> Self {
        Self {
            counts: [0; BUCKETS],
        }
    }

    pub(crate) fn add(&mut self, histogram: &Histogram) {
        for word in &histogram.few {
            let word = word.load(Ordering::Acquire);
            if word != 0 {
                self.counts[(word >> TAG) as usize - 1] += word & ((1 << TAG) - 1);
            }
        }
        for (sum, count) in self
            .counts
            .iter_mut()
            .zip(histogram.all.get().into_iter().flatten())
        {
            *sum += count.load(Ordering::Acquire);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The nanoseconds below or at which the share `q` of all values lies; 0 without any.
    pub(crate) fn quantile(&self, q: f64) -> u64 {
        let count = self.count();
        let rank = ((q * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        for (bucket, n) in self.counts.iter().enumerate() {
            seen += n;
            if seen >= rank {
                return middle_of(bucket);
            }
        }
        0
    }
}

fn bucket_of(nanos: u64) -> usize {
    if nanos < 1 << FIRST {
        return 0;
    }
    let power = nanos.ilog2();
    let quarter = (nanos >> (power - 2)) & 3;
    (1 + 4 * (power - FIRST) as usize + quarter as usize).min(BUCKETS - 1)
}

fn middle_of(bucket: usize) -> u64 {
    if bucket == 0 {
        return 1 << (FIRST - 1);
    }
    let power = FIRST + (bucket as u32 - 1) / 4;
    let quarter = (bucket as u64 - 1) % 4;
    let width = 1 << (power - 2);
    (4 + quarter) * width + width / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Distribution {
        let histogram = Histogram::new();
        for value in values {
            histogram.record(value, false);
        }
        let mut all = Distribution::new();
        all.add(&histogram);
        all
    }

    #[test]
    fn every_value_is_given_back_within_an_eighth() {
        let mut value = 32u64;
        while value < 1 << LAST {
            for near in [value - 1, value, value + 1, value + value / 3] {
                if near < 32 || near >= 1 << LAST {
                    continue;
                }
                let back = of([near]).quantile(1.0);
                assert!(
                    back.abs_diff(near) * 8 <= near,
                    "{near} came back as {back}"
                );
            }
            value += (value / 7).max(1);
        }
    }

    #[test]
    fn quantiles_of_many_values_are_within_an_eighth() {
        let all = of((1..=100_000u64).map(|n| n * 1_000));
        for (q, exact) in [(0.5, 50_000_000u64), (0.9, 90_000_000), (0.99, 99_000_000)] {
            let got = all.quantile(q);
            assert!(got.abs_diff(exact) * 8 <= exact, "{q}: {got} for {exact}");
        }
        assert_eq!(all.count(), 100_000);
    }

    #[test]
    fn the_table_is_made_only_when_a_few_buckets_do_not_suffice() {
        let histogram = Histogram::new();
        for n in 0..1_000 {
            histogram.record(1 << (10 + n % FEW as u64), false);
        }
        assert!(histogram.all.get().is_none());
        histogram.record(1 << 30, false);
        histogram.record(1 << 10, false);
        assert!(histogram.all.get().is_some());
        let mut all = Distribution::new();
        all.add(&histogram);
        assert_eq!(all.count(), 1_002);
        assert_eq!(all.quantile(0.1), middle_of(bucket_of(1 << 10)));
    }

    #[test]
    fn zero_and_the_largest_value_are_counted_at_the_ends() {
        let all = of([0, u64::MAX]);
        assert_eq!(all.count(), 2);
        assert!(all.quantile(0.0) < 32 && all.quantile(1.0) > 1 << 43);
        assert_eq!(of([]).quantile(0.5), 0);
    }
}
