use std::sync::OnceLock;
use std::time::Duration;

use standpipe_core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::{add, nanos};

/// The first bucket holds what is below `2^FIRST` nanoseconds, the last what is above `2^LAST`.
const FIRST: u32 = 5;
const LAST: u32 = 44;
/// Four buckets for each power of two: the middle of a bucket is off by 12.5 % at most.
const BUCKETS: usize = 1 + 4 * (LAST - FIRST) as usize;

/// Different buckets that are counted before a table is made.
const FEW: usize = 8;
/// A word of the few is the bucket's number plus one in its high byte, and the count below.
const TAG: u32 = 24;
/// A word's count stops here, far enough from the tag for all threads that may be adding to it.
const FULL: u32 = 1 << 23;

type Table = [AtomicU64; BUCKETS];

/// A log-linear histogram of durations, within 12.5 % from 32 ns to 4.8 hours.
///
/// Most hosts are asked seldom and answer alike: their few buckets are counted in place. A table is
/// made when they do not suffice, and at once where a thread counts for itself. What the few have counted
/// stays there, so nothing has to be moved while others count.
#[derive(Debug)]
pub(crate) struct Histogram {
    few: [AtomicU32; FEW],
}

/// Six tables, each made on first use.
#[derive(Debug)]
pub(crate) struct Tables {
    made: OnceLock<Box<[OnceLock<Box<Table>>; 6]>>,
}

/// How long something took, with its bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    pub(super) nanos: u64,
    bucket: usize,
}

impl Took {
    #[inline]
    pub(crate) fn of(time: Duration) -> Self {
        Self::of_nanos(nanos(time))
    }

    #[inline]
    fn of_nanos(nanos: u64) -> Self {
        Self {
            nanos,
            bucket: bucket_of(nanos),
        }
    }
}

impl Tables {
    pub(super) fn new() -> Self {
        Self {
            made: OnceLock::new(),
        }
    }

    #[inline]
    fn get(&self, which: usize) -> Option<&Table> {
        Some(&**self.made.get()?[which].get()?)
    }

    /// Counts a value in the table number `which`.
    #[inline]
    pub(super) fn record(&self, took: Took, owned: bool, which: usize) {
        let table = self.get(which).unwrap_or_else(|| self.make(which));
        add(&table[took.bucket], 1, owned);
    }

    #[cold]
    fn make(&self, which: usize) -> &Table {
        let made = self.made.get_or_init(Box::default);
        made[which].get_or_init(|| Box::new(std::array::from_fn(|_| AtomicU64::new(0))))
    }
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self {
            few: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    /// Counts a value, in the table number `which` if there is one.
    #[inline]
    pub(super) fn record(&self, took: Took, owned: bool, tables: &Tables, which: usize) {
        // A thread has counters of its own for busy hosts alone.
        let few = !owned && tables.get(which).is_none() && self.record_among_few(took.bucket);
        if !few {
            tables.record(took, owned, which);
        }
    }

    #[inline(never)]
    fn record_among_few(&self, bucket: usize) -> bool {
        let tag = bucket as u32 + 1;
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
                let has_room = seen & ((1 << TAG) - 1) < FULL;
                if has_room {
                    word.fetch_add(1, Ordering::Release);
                }
                return has_room;
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

    pub(super) fn add(&mut self, histogram: &Histogram, tables: &Tables, which: usize) {
        for word in &histogram.few {
            let word = word.load(Ordering::Acquire);
            if word != 0 {
                let count = u64::from(word & ((1 << TAG) - 1));
                self.counts[(word >> TAG) as usize - 1] += count;
            }
        }
        self.add_table(tables, which);
    }

    pub(super) fn add_table(&mut self, tables: &Tables, which: usize) {
        let table = tables.get(which).into_iter().flatten();
        for (sum, count) in self.counts.iter_mut().zip(table) {
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

#[inline]
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

    /// A histogram with the place for its table.
    struct Alone(Histogram, Tables);

    impl Alone {
        fn new() -> Self {
            Self(Histogram::new(), Tables::new())
        }

        fn record(&self, nanos: u64) {
            self.0.record(Took::of_nanos(nanos), false, &self.1, 3);
        }

        fn read(&self) -> Distribution {
            let mut all = Distribution::new();
            all.add(&self.0, &self.1, 3);
            all
        }
    }

    fn of(values: impl IntoIterator<Item = u64>) -> Distribution {
        let histogram = Alone::new();
        values.into_iter().for_each(|value| histogram.record(value));
        histogram.read()
    }

    #[test]
    fn every_value_is_given_back_within_an_eighth() {
        let mut value = 32u64;
        while value < 1 << LAST {
            for near in [value - 1, value, value + 1, value + value / 3] {
                if !(32..1 << LAST).contains(&near) {
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
    fn a_table_is_made_only_when_a_few_buckets_do_not_suffice() {
        let histogram = Alone::new();
        for n in 0..1_000 {
            histogram.record(1 << (10 + n % FEW as u64));
        }
        assert!(histogram.1.made.get().is_none());
        histogram.record(1 << 30);
        histogram.record(1 << 10);
        assert!(histogram.1.get(3).is_some() && histogram.1.get(0).is_none());
        let all = histogram.read();
        assert_eq!(all.count(), 1_002);
        assert_eq!(all.quantile(0.1), middle_of(bucket_of(1 << 10)));
    }

    #[test]
    fn a_full_word_never_grows_into_its_tag() {
        let histogram = Alone::new();
        let tag = bucket_of(1 << 10) as u32 + 1;
        let nearly = tag << TAG | (FULL - 2);
        histogram.0.few[0].store(nearly, Ordering::Relaxed);
        for _ in 0..5 {
            histogram.record(1 << 10);
        }
        let all = histogram.read();
        assert_eq!(all.count(), u64::from(FULL) - 2 + 5);
        assert_eq!(all.quantile(0.5), middle_of(bucket_of(1 << 10)));
    }

    #[test]
    fn a_thread_of_a_busy_host_has_a_table_at_once() {
        let histogram = Alone::new();
        for _ in 0..5 {
            let took = Took::of_nanos(1 << 10);
            histogram.0.record(took, true, &histogram.1, 3);
        }
        assert!(histogram.1.get(3).is_some());
        assert_eq!(histogram.read().count(), 5);
    }

    #[test]
    fn zero_and_the_largest_value_are_counted_at_the_ends() {
        let all = of([0, u64::MAX]);
        assert_eq!(all.count(), 2);
        assert!(all.quantile(0.0) < 32 && all.quantile(1.0) > 1 << 43);
        assert_eq!(of([]).quantile(0.5), 0);
    }
}
