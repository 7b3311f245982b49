//! What is told of requests, on its way to the exporter's handles.

use std::array;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use standpipe_core::sync::Mutex;

use super::kind::{Handles, Kind, Measure};
use super::lane::Lane;
use super::lists::Lists;
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

/// What one event says.
pub(super) struct Told<'a> {
    pub(super) handles: &'a Arc<Handles>,
    /// Of the gauge of requests that wait for their head.
    pub(super) shift: i32,
    pub(super) measured: [Option<(Measure, f64)>; 2],
    pub(super) begins: bool,
    /// The request waits no more for its head.
    pub(super) ends: bool,
    pub(super) took: Duration,
}

impl Requests {
    /// Records an event of a request, and one that came with it. Of others it records nothing.
    pub(super) fn record(&self, table: &Table, event: &Event<'_>, next: Option<&Event<'_>>) {
        let (Some(told), next) = (
            self.read(table, event),
            next.and_then(|next| self.read(table, next)),
        ) else {
            return;
        };
        let told = std::iter::once(told).chain(next);
        let lane = exchange_of(event).and_then(|exchange| self.lane(exchange.lane?));
        match lane {
            None => told.for_each(|told| told.hand_on()),
            Some(lane) => hold(lane, told),
        }
    }

    /// What an event says, with the handles that it needs.
    fn read(&self, table: &Table, event: &Event<'_>) -> Option<Told<'_>> {
        let exchange = exchange_of(event)?;
        let mut told = Told {
            handles: self.kinds.get(&Kind::of(exchange), Arc::default),
            shift: 0,
            measured: [None; 2],
            begins: false,
            ends: false,
            took: Duration::ZERO,
        };
        match *event {
            Event::Started(_) => {
                told.shift = 1;
                told.begins = true;
            }
            Event::Ended {
                elapsed,
                request_bytes,
                ..
            } => {
                told.shift = -1;
                told.ends = true;
                told.took = elapsed;
                // A request without a body has no size of one.
                let bytes = request_bytes.filter(|bytes| *bytes > 0);
                let size = bytes.and_then(|bytes| size(exchange, Measure::RequestSize, bytes));
                told.measured = [Some((Measure::Head, elapsed.as_secs_f64())), size];
            }
            Event::BodyEnded { elapsed, bytes, .. } => {
                told.took = elapsed;
                let size = size(exchange, Measure::ResponseSize, bytes);
                told.measured = [Some((Measure::Whole, elapsed.as_secs_f64())), size];
            }
            _ => return None,
        }
        told.make_handles(table, exchange);
        Some(told)
    }

    #[inline]
    fn lane(&self, number: usize) -> Option<&Mutex<Lane>> {
        let lanes = self
            .lanes
            .get_or_init(|| Box::new(array::from_fn(|_| OnceLock::new())));
        Some(lanes.get(number)?.get_or_init(Box::default))
    }
}

/// The exporter's code runs while the lane's lock is not held.
fn hold<'a>(lane: &Mutex<Lane>, told: impl Iterator<Item = Told<'a>>) {
    let due = {
        let mut lane = lane.lock();
        let longest = told.map(|told| lane.take_in(&told)).max();
        lane.due(longest.unwrap_or_default())
    };
    if let Some(mut batch) = due {
        batch.hand_on();
        lane.lock().keep(batch);
    }
}

fn exchange_of<'a, 'e>(event: &'e Event<'a>) -> Option<&'e Exchange<'a>> {
    match event {
        Event::Started(exchange)
        | Event::Ended { exchange, .. }
        | Event::BodyEnded { exchange, .. } => Some(exchange),
        _ => None,
    }
}

fn size(exchange: &Exchange<'_>, measure: Measure, bytes: u64) -> Option<(Measure, f64)> {
    (exchange.scope == Scope::Attempt).then_some((measure, bytes as f64))
}

impl Told<'_> {
    #[inline]
    fn make_handles(&self, table: &Table, exchange: &Exchange<'_>) {
        if self.shift != 0 {
            self.handles.with_gauge(|| {
                let id = match exchange.scope {
                    Scope::Request => Id::ActiveCalls,
                    Scope::Attempt => Id::ActiveRequests,
                };
                // Whatever the end, the gauge is that of the begin.
                table.of_request(Kind::begun(exchange).key(id), exchange.method)
            });
        }
        for (measure, _) in self.measured.into_iter().flatten() {
            self.handles.with_histogram(measure, || {
                let key = Kind::of(exchange).key(measure.id(exchange.scope));
                table.of_request(key, exchange.method)
            });
        }
    }

    fn hand_on(&self) {
        if self.shift != 0 {
            self.handles.shift(self.shift);
        }
        for (measure, value) in self.measured.into_iter().flatten() {
            self.handles.measure(measure, value);
        }
    }
}
