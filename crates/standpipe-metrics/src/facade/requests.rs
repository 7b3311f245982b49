//! What is told of requests, on its way to the exporter's handles.

use std::time::Duration;

use super::kind::{Handles, Kind, Measure};
use super::lists::Lists;
use super::series::Id;
use super::table::Table;
use crate::recorder::{Exchange, Scope};

/// The handles of a host's table once more, all that one kind of request needs together: found by one
/// look instead of one for each series.
#[derive(Default)]
pub(super) struct Requests {
    kinds: Lists<Kind, Handles, 16>,
}

impl Requests {
    pub(super) fn began(&self, table: &Table, exchange: &Exchange<'_>) {
        self.of(table, exchange).shift(1.0);
    }

    pub(super) fn ended(
        &self,
        table: &Table,
        exchange: &Exchange<'_>,
        elapsed: Duration,
        request_bytes: Option<u64>,
    ) {
        let requests = self.of(table, exchange);
        requests.shift(-1.0);
        requests.measure(Measure::Head, elapsed.as_secs_f64());
        // A request without a body has no size of one.
        if let (Scope::Attempt, Some(bytes @ 1..)) = (exchange.scope, request_bytes) {
            requests.measure(Measure::RequestSize, bytes as f64);
        }
    }

    pub(super) fn body_ended(
        &self,
        table: &Table,
        exchange: &Exchange<'_>,
        elapsed: Duration,
        bytes: u64,
    ) {
        let requests = self.of(table, exchange);
        requests.measure(Measure::Whole, elapsed.as_secs_f64());
        if exchange.scope == Scope::Attempt {
            requests.measure(Measure::ResponseSize, bytes as f64);
        }
    }

    #[inline]
    fn of<'a>(&'a self, table: &'a Table, exchange: &'a Exchange<'a>) -> OfKind<'a> {
        let kind = Kind::of(exchange);
        OfKind {
            handles: self.kinds.get(&kind, Handles::default),
            kind,
            exchange,
            table,
        }
    }
}

/// Where a request is recorded, and what makes the handles that are not there yet.
struct OfKind<'a> {
    handles: &'a Handles,
    kind: Kind,
    exchange: &'a Exchange<'a>,
    table: &'a Table,
}

impl OfKind<'_> {
    #[inline]
    fn shift(&self, by: f64) {
        let make = || {
            let id = match self.exchange.scope {
                Scope::Request => Id::ActiveCalls,
                Scope::Attempt => Id::ActiveRequests,
            };
            // Whatever the end, the gauge is that of the begin.
            let key = Kind::begun(self.exchange).key(id);
            self.table.of_request(key, self.exchange.method)
        };
        self.handles.gauge(make).shift(by);
    }

    #[inline]
    fn measure(&self, measure: Measure, value: f64) {
        let make = || {
            let key = self.kind.key(measure.id(self.exchange.scope));
            self.table.of_request(key, self.exchange.method)
        };
        self.handles.histogram(measure, make).measure(value);
    }
}
