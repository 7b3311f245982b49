//! What the requests of one thread have to say, held back for a moment.
//!
//! The exporter's handles are written by all threads, and threads that write the same few words for each
//! request wait for each other longer than all else takes. So of a busy host, what quick requests measure
//! is kept with the thread that began them, and handed on together.
//!
//! Without a clock or a timer, nothing waits for long. What is held stems from no more than twice as many
//! requests as wait for their heads, and each of these brings the next look; streams that go on for minutes
//! after it hold nothing back. The gauges, taken together, are behind by an eighth of those requests at
//! the most; and what a slow request measures goes out at once, with all that was held.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::kind::{Handles, Kind, Measure};
use super::lists::Listed;
use super::reading::{Reading, Values};

/// Of how many ends of a thread's requests, or of their bodies, something is held at the most.
const MOST: usize = 64;

/// A request that took this long is not one of many thousands a second, for which holding back pays.
const SLOW: Duration = Duration::from_millis(100);

/// A thread's requests of one host.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Begun here, without a head yet.
    under_way: u32,
    batch: Box<Batch>,
    /// An empty one, to be filled while the other is handed on.
    spare: Option<Box<Batch>>,
}

/// What is held.
#[derive(Debug, Default)]
pub(super) struct Batch {
    measured: usize,
    /// By how much all gauges are behind.
    shifted: i32,
    kinds: Vec<Held>,
}

/// What is held of one kind of request.
#[derive(Debug)]
struct Held {
    kind: Kind,
    handles: Arc<Handles>,
    shifted: i32,
    measured: Vec<Values>,
}

impl Lane {
    /// Counts one request more, or less, that waits for its head.
    #[inline]
    pub(super) fn count(&mut self, reading: &Reading) {
        self.under_way = self.under_way.saturating_add_signed(reading.shift);
    }

    /// Takes in what is told of requests of one kind; `false` where that is not known here, or has not
    /// got all its handles.
    #[inline]
    pub(super) fn take_in(&mut self, kind: &Kind, reading: &Reading) -> bool {
        self.batch.take_in(kind, reading)
    }

    /// Makes a kind known.
    pub(super) fn add(&mut self, kind: Kind, handles: &Arc<Handles>) {
        self.batch.known(kind, handles);
    }

    /// All that is held, once it is time to hand it on; `took` is how long the request has taken which was
    /// taken in now.
    #[inline]
    pub(super) fn due(&mut self, took: Duration) -> Option<Box<Batch>> {
        let batch = &self.batch;
        let room = MOST.min(2 * self.under_way as usize);
        let behind = batch.shifted.unsigned_abs() > self.under_way / 8;
        let due = behind || batch.measured >= room || took >= SLOW;
        if !due || batch.is_empty() {
            return None;
        }
        let next = self.spare.take().unwrap_or_default();
        Some(mem::replace(&mut self.batch, next))
    }

    /// Takes one back that was handed on. What is left in it because the exporter panicked stays held, up to
    /// a bound: an exporter may panic each time.
    pub(super) fn keep(&mut self, mut handed_on: Box<Batch>) {
        self.batch.take_over(&mut handed_on);
        // Kinds that come once, such as a rare status, are not looked through for ever.
        if handed_on.kinds.len() > MOST {
            handed_on.kinds.clear();
        }
        self.spare = Some(handed_on);
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.measured == 0 && self.kinds.iter().all(|held| held.shifted == 0)
    }

    #[inline]
    fn find(&mut self, kind: &Kind) -> Option<&mut Held> {
        self.kinds.iter_mut().find(|held| held.kind.is(kind))
    }

    #[inline]
    fn take_in(&mut self, kind: &Kind, reading: &Reading) -> bool {
        let set = reading.values.set;
        let Some(held) = self.find(kind).filter(|held| held.handles.has(set)) else {
            return false;
        };
        held.shifted += reading.shift;
        if set.has_measures() {
            held.measured.push(reading.values);
            self.measured += 1;
        }
        self.shifted += reading.shift;
        true
    }

    fn known(&mut self, kind: Kind, handles: &Arc<Handles>) -> &mut Held {
        let place = self.kinds.iter().position(|held| held.kind.is(&kind));
        let place = place.unwrap_or_else(|| {
            self.kinds.push(Held {
                kind,
                handles: Arc::clone(handles),
                shifted: 0,
                measured: Vec::new(),
            });
            self.kinds.len() - 1
        });
        &mut self.kinds[place]
    }

    fn take_over(&mut self, other: &mut Self) {
        for left in &mut other.kinds {
            if left.shifted != 0 || !left.measured.is_empty() {
                left.measured.truncate(MOST.saturating_sub(self.measured));
                self.measured += left.measured.len();
                self.shifted += left.shifted;
                let held = self.known(left.kind, &left.handles);
                held.shifted += mem::take(&mut left.shifted);
                held.measured.append(&mut left.measured);
            }
        }
        other.measured = 0;
        other.shifted = 0;
    }

    /// Hands all of it on: the exporter's code runs here. Should it panic, what the requests of one kind have
    /// measured is lost, or the gauge that it panicked over is wrong; all else is left for the next time.
    pub(super) fn hand_on(&mut self) {
        for held in &mut self.kinds {
            if held.shifted != 0 {
                held.handles.shift(mem::take(&mut held.shifted));
            }
        }
        self.kinds.iter_mut().for_each(Held::hand_on);
    }
}

impl Held {
    fn hand_on(&mut self) {
        let mut measured = mem::take(&mut self.measured);
        for measure in Measure::ALL {
            let Some(histogram) = self.handles.histogram(measure) else {
                continue;
            };
            let values = measured.iter();
            let values = values.filter_map(|values| values.get(measure));
            values.for_each(|value| histogram.measure(value));
        }
        measured.clear();
        self.measured = measured;
    }
}
