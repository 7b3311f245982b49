//! What the requests of one thread have to say, held back for a moment.
//!
//! The exporter's handles are written by all threads, and threads that write the same few words for each
//! request wait for each other longer than all else takes. So of a busy host, what quick requests measure
//! is kept with the thread that began them, and handed on together.
//!
//! Without a clock or a timer, nothing waits for long: of twice as many requests at the most as wait for
//! their heads is something held, and each of these brings the next look. Streams that go on for minutes
//! after it hold nothing back. The gauges, taken together, are behind by an eighth of those requests; and
//! what a slow request measures goes out at once, with all that was held.

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
    /// None while it is handed on.
    batch: Option<Box<Batch>>,
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
    /// Whether one request more, or less, waits for its head.
    #[inline]
    pub(super) fn count(&mut self, reading: &Reading) {
        self.under_way = self.under_way.saturating_add_signed(reading.shift);
    }

    /// Takes in what is told of requests of one kind; `false` where that is not known here, or has not
    /// got all its handles.
    #[inline]
    pub(super) fn take_in(&mut self, kind: &Kind, reading: &Reading) -> bool {
        let batch = self.batch.get_or_insert_default();
        batch.take_in(kind, reading)
    }

    /// Makes a kind known.
    pub(super) fn add(&mut self, kind: Kind, handles: &Arc<Handles>) {
        let batch = self.batch.get_or_insert_default();
        if batch.find(&kind).is_none() {
            batch.kinds.push(Held {
                kind,
                handles: Arc::clone(handles),
                shifted: 0,
                measured: Vec::new(),
            });
        }
    }

    /// All that is held, once it is time to hand it on; `took` is how long the request has taken which was
    /// taken in now.
    #[inline]
    pub(super) fn due(&mut self, took: Duration) -> Option<Box<Batch>> {
        let batch = self.batch.as_ref()?;
        let room = MOST.min(2 * self.under_way as usize);
        let behind = batch.shifted.unsigned_abs() > self.under_way / 8;
        let due = behind || batch.measured >= room || took >= SLOW;
        self.batch.take_if(|batch| due && !batch.is_empty())
    }

    /// Gives an empty one back, to be filled again.
    pub(super) fn keep(&mut self, batch: Box<Batch>) {
        self.batch.get_or_insert(batch);
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

    /// Hands all of it on: the exporter's code runs here.
    pub(super) fn hand_on(&mut self) {
        // First what adds up: should the exporter panic, single measurements are lost and no gauge is
        // wrong for good.
        for held in &mut self.kinds {
            if held.shifted != 0 {
                held.handles.shift(std::mem::take(&mut held.shifted));
            }
        }
        self.kinds.iter_mut().for_each(Held::hand_on);
        self.measured = 0;
        self.shifted = 0;
        // Kinds that come once, such as a rare status, are not looked through for ever.
        if self.kinds.len() > MOST {
            self.kinds.clear();
        }
    }
}

impl Held {
    fn hand_on(&mut self) {
        for measure in Measure::ALL {
            let Some(histogram) = self.handles.histogram(measure) else {
                continue;
            };
            let values = self.measured.iter();
            let values = values.filter_map(|values| values.get(measure));
            values.for_each(|value| histogram.measure(value));
        }
        self.measured.clear();
    }
}
