//! What the requests of one thread have to say, held back for a moment.
//!
//! The exporter's handles are written by all threads, and threads that write the same few words for each
//! request wait for each other longer than all else takes. So of a busy host, what quick requests measure
//! is kept with the thread that began them, and handed on together.
//!
//! Without a clock or a timer, nothing waits for long: twice as many measurements are held at the most as
//! requests wait for their heads, and each of these brings the next look. Streams that go on for minutes
//! after it hold nothing back. The gauges, taken together, are behind by an eighth of those requests; and
//! what a slow request measures goes out at once, with all that was held.

use std::sync::Arc;
use std::time::Duration;

use super::kind::{Handles, Measure};
use super::requests::Told;

/// The most measurements of a thread that are held.
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
    of_kinds: Vec<Held>,
}

/// What is held of one kind of request.
#[derive(Debug)]
struct Held {
    handles: Arc<Handles>,
    shifted: i32,
    measured: Vec<(Measure, f64)>,
}

impl Lane {
    /// Takes it in; gives how long the request has taken so far.
    pub(super) fn take_in(&mut self, told: &Told<'_>) -> Duration {
        self.under_way += u32::from(told.begins);
        self.under_way = self.under_way.saturating_sub(u32::from(told.ends));
        self.batch.get_or_insert_default().take_in(told);
        told.took
    }

    /// All that is held, once it is time to hand it on; `took` is the longest that a request has taken
    /// which was taken in now.
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
        self.measured == 0 && self.of_kinds.iter().all(|held| held.shifted == 0)
    }

    fn take_in(&mut self, told: &Told<'_>) {
        let held = self.of(told.handles);
        let before = held.measured.len();
        held.shifted += told.shift;
        held.measured.extend(told.measured.into_iter().flatten());
        self.measured += held.measured.len() - before;
        self.shifted += told.shift;
    }

    fn of(&mut self, handles: &Arc<Handles>) -> &mut Held {
        let known = |held: &Held| Arc::ptr_eq(&held.handles, handles);
        let place = match self.of_kinds.iter().position(known) {
            Some(place) => place,
            None => {
                self.of_kinds.push(Held {
                    handles: Arc::clone(handles),
                    shifted: 0,
                    measured: Vec::new(),
                });
                self.of_kinds.len() - 1
            }
        };
        &mut self.of_kinds[place]
    }

    /// Hands all of it on: the exporter's code runs here.
    pub(super) fn hand_on(&mut self) {
        // First what adds up: should the exporter panic, single measurements are lost and no gauge is
        // wrong for good.
        for held in &mut self.of_kinds {
            if held.shifted != 0 {
                held.handles.shift(std::mem::take(&mut held.shifted));
            }
        }
        for held in &mut self.of_kinds {
            for (measure, value) in held.measured.drain(..) {
                held.handles.measure(measure, value);
            }
        }
        self.measured = 0;
        self.shifted = 0;
        // Kinds that come once, such as a rare status, are not looked through for ever.
        if self.of_kinds.len() > MOST {
            self.of_kinds.clear();
        }
    }
}
