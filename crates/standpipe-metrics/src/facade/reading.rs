//! What an event says, in numbers.

use std::time::Duration;

use super::kind::{Measure, Set};
use crate::recorder::{Event, Exchange, Scope};

/// What one event of a request says, or two that are told together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    /// Of the gauge of requests that wait for their head: one more, one less, or 0.
    pub(super) shift: i32,
    pub(super) values: Values,
    /// How long the request has taken so far.
    pub(super) took: Duration,
}

/// What an event measures.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Values {
    /// What there is something for.
    pub(super) set: Set,
    /// By [`Measure`].
    of: [f64; 4],
}

impl Values {
    #[inline]
    pub(super) fn get(&self, measure: Measure) -> Option<f64> {
        let there = self.set.has(Set::of(measure));
        there.then_some(self.of[measure as usize])
    }
}

impl Reading {
    /// Reads an event; of others than a request's it reads nothing.
    #[inline]
    pub(super) fn read(&mut self, event: &Event<'_>) {
        match event {
            Event::Started(_) => self.move_gauge(1),
            Event::Ended {
                exchange,
                elapsed,
                request_bytes,
            } => {
                self.move_gauge(-1);
                self.put_time(Measure::Head, *elapsed);
                // A request without a body has no size of one.
                if let Some(bytes @ 1..) = *request_bytes {
                    self.put_size(exchange, Measure::RequestSize, bytes);
                }
            }
            Event::BodyEnded {
                exchange,
                elapsed,
                bytes,
            } => {
                self.put_time(Measure::Whole, *elapsed);
                self.put_size(exchange, Measure::ResponseSize, *bytes);
            }
            _ => {}
        }
    }

    /// The gauge's part, and what is measured: should the exporter panic over a histogram that it is to make,
    /// the gauge is right all the same.
    pub(super) fn parts(&self) -> [Self; 2] {
        let (mut gauge, mut rest) = (*self, *self);
        gauge.values.set = self.values.set.within(Set::GAUGE);
        rest.values.set = self.values.set.without(Set::GAUGE);
        rest.shift = 0;
        [gauge, rest]
    }

    #[inline]
    fn move_gauge(&mut self, by: i32) {
        self.shift = by;
        self.values.set = self.values.set.with(Set::GAUGE);
    }

    #[inline]
    fn put_time(&mut self, measure: Measure, elapsed: Duration) {
        self.took = elapsed;
        self.put(measure, elapsed.as_secs_f64());
    }

    /// Attempts alone have sizes: those of the logical request would be the same once more.
    #[inline]
    fn put_size(&mut self, exchange: &Exchange<'_>, measure: Measure, bytes: u64) {
        if exchange.scope == Scope::Attempt {
            self.put(measure, bytes as f64);
        }
    }

    #[inline]
    fn put(&mut self, measure: Measure, value: f64) {
        self.values.of[measure as usize] = value;
        self.values.set = self.values.set.with(Set::of(measure));
    }
}
