//! What is told of requests, on its way to the exporter's handles.

use std::array;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, OnceLock};

use standpipe_core::sync::{Mutex, MutexGuard};

use super::kind::{Handles, Kind, Measure, Set};
use super::lane::{Batch, Lane};
use super::lists::Lists;
use super::reading::Reading;
use super::series::Id;
use super::table::Table;
use crate::count::slot;
use crate::recorder::{Event, Exchange, Scope};

/// One for each thread, made when that begins a request.
type Lanes = Box<[OnceLock<Box<Mutex<Lane>>>; slot::SLOTS]>;

/// The series of a host's requests.
#[derive(Default)]
pub(super) struct Requests {
    /// The handles of the host's table once more, all that one kind of request needs together: found by
    /// one look instead of one for each series.
    kinds: Lists<Kind, Arc<Handles>, 16>,
    /// Of a busy host.
    lanes: OnceLock<Lanes>,
}

impl Requests {
    /// Records an event of a request, or two that came together, of which neither has an error then.
    #[inline]
    pub(super) fn record(&self, table: &Table, exchange: &Exchange<'_>, events: &[&Event<'_>]) {
        let mut reading = Reading::default();
        events.iter().for_each(|event| reading.read(event));
        self.take_in(table, exchange, &reading);
    }

    fn take_in(&self, table: &Table, exchange: &Exchange<'_>, reading: &Reading) {
        let kind = Kind::of(exchange);
        let Some(lane) = exchange.lane.and_then(|number| self.lane(number)) else {
            for part in reading.parts() {
                hand_on(self.handles(table, exchange, kind, &part), &part);
            }
            return;
        };
        let mut held = lane.lock();
        // The exporter's code, which makes handles, may panic: the lane has counted the request by then.
        held.count(reading);
        if held.take_in(&kind, reading) {
            return let_go(lane, held, reading);
        }
        drop(held);
        self.make_known(table, exchange, kind, lane, reading);
    }

    /// Takes in what needs handles that are yet to be made.
    #[cold]
    fn make_known(
        &self,
        table: &Table,
        exchange: &Exchange<'_>,
        kind: Kind,
        lane: &Mutex<Lane>,
        reading: &Reading,
    ) {
        let mut panicked = None;
        for part in reading.parts() {
            let made = || self.handles(table, exchange, kind, &part);
            match catch_unwind(AssertUnwindSafe(made)) {
                Ok(handles) => {
                    let mut held = lane.lock();
                    held.add(kind, handles);
                    held.take_in(&kind, &part);
                }
                Err(panic) => panicked = Some(panic),
            }
        }
        let_go(lane, lane.lock(), reading);
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    }

    /// Those of one kind, with all that `reading` needs.
    fn handles(
        &self,
        table: &Table,
        exchange: &Exchange<'_>,
        kind: Kind,
        reading: &Reading,
    ) -> &Arc<Handles> {
        let handles = self.kinds.get(&kind, || self.new_handles(kind));
        if !handles.has(reading.values.set) {
            make_handles(handles, reading.values.set, table, exchange);
        }
        handles
    }

    /// Whatever the end of requests, their gauge is that of the begin.
    fn new_handles(&self, kind: Kind) -> Arc<Handles> {
        match kind.begin() {
            None => Arc::default(),
            Some(begin) => Arc::new(Handles::beside(self.kinds.get(&begin, Arc::default))),
        }
    }

    #[inline]
    fn lane(&self, number: usize) -> Option<&Mutex<Lane>> {
        let lanes = self
            .lanes
            .get_or_init(|| Box::new(array::from_fn(|_| OnceLock::new())));
        Some(lanes.get(number)?.get_or_init(Box::default))
    }
}

#[cold]
fn make_handles(handles: &Handles, set: Set, table: &Table, exchange: &Exchange<'_>) {
    handles.make(set, |which| {
        let key = match (which, exchange.scope) {
            (None, Scope::Request) => Kind::begun(exchange).key(Id::ActiveCalls),
            (None, Scope::Attempt) => Kind::begun(exchange).key(Id::ActiveRequests),
            (Some(measure), scope) => Kind::of(exchange).key(measure.id(scope)),
        };
        table.of_request(key, exchange.method)
    });
}

/// Hands on what is due. The exporter's code runs while the lane's lock is not held.
#[inline]
fn let_go(lane: &Mutex<Lane>, mut held: MutexGuard<'_, Lane>, reading: &Reading) {
    let due = held.due(reading.took);
    drop(held);
    if let Some(batch) = due {
        let mut handing_on = HandingOn {
            lane,
            batch: Some(batch),
        };
        if let Some(batch) = &mut handing_on.batch {
            batch.hand_on();
        }
    }
}

/// Gives the batch back, after a panic as well.
struct HandingOn<'a> {
    lane: &'a Mutex<Lane>,
    batch: Option<Box<Batch>>,
}

impl Drop for HandingOn<'_> {
    fn drop(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.lane.lock().keep(batch);
        }
    }
}

/// At once: the host is not busy.
fn hand_on(handles: &Handles, reading: &Reading) {
    if reading.shift != 0 {
        handles.shift(reading.shift);
    }
    for measure in Measure::ALL {
        if let Some(value) = reading.values.get(measure)
            && let Some(histogram) = handles.histogram(measure)
        {
            histogram.measure(value);
        }
    }
}
