//! The handles that one kind of request uses, found at once.

use std::sync::OnceLock;

use super::lists::{Listed, same};
use super::series::Id;
use super::table::{Instrument, Key};
use crate::label::OTHER;
use crate::recorder::{Exchange, Scope};

/// What tells the series of some requests of a host from those of others: each part from a bounded set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    scope: Scope,
    method: u8,
    /// 0 where there is none.
    status: u16,
    /// The error: text of the program.
    word: Option<&'static str>,
    template: Option<&'static str>,
}

/// The histograms of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Measure {
    /// The time to the head.
    Head,
    /// The time to the end of the body.
    Whole,
    RequestSize,
    ResponseSize,
}

impl Measure {
    pub(super) fn id(self, scope: Scope) -> Id {
        match (self, scope) {
            (Self::Head, Scope::Request) => Id::CallDuration,
            (Self::Head, Scope::Attempt) => Id::RequestDuration,
            (Self::Whole, Scope::Request) => Id::CallResponseDuration,
            (Self::Whole, Scope::Attempt) => Id::ResponseDuration,
            (Self::RequestSize, _) => Id::RequestBodySize,
            (Self::ResponseSize, _) => Id::ResponseBodySize,
        }
    }
}

/// The handles of one kind, each made on its first use: a series that is never recorded is not
/// exported.
#[derive(Debug, Default)]
pub(super) struct Handles {
    active: OnceLock<Instrument>,
    measures: [OnceLock<Instrument>; 4],
}

impl Handles {
    /// `make` makes the gauge, unless it is there.
    #[inline]
    pub(super) fn with_gauge(&self, make: impl FnOnce() -> Instrument) {
        once(&self.active, make);
    }

    /// `make` makes the histogram, unless it is there.
    #[inline]
    pub(super) fn with_histogram(&self, measure: Measure, make: impl FnOnce() -> Instrument) {
        once(&self.measures[measure as usize], make);
    }

    /// Of the gauge, which was made.
    pub(super) fn shift(&self, by: i32) {
        if let Some(gauge) = self.active.get() {
            gauge.shift(f64::from(by));
        }
    }

    /// Of a histogram that was made.
    pub(super) fn measure(&self, measure: Measure, value: f64) {
        if let Some(histogram) = self.measures[measure as usize].get() {
            histogram.measure(value);
        }
    }
}

/// The exporter's code, which makes a handle, runs outside of the cell's initialisation, so that it may
/// come back here.
#[inline]
fn once(cell: &OnceLock<Instrument>, make: impl FnOnce() -> Instrument) {
    if cell.get().is_none() {
        let _ = cell.set(make());
    }
}

impl Kind {
    /// Of requests that have begun, whatever their end will be.
    pub(super) fn begun(exchange: &Exchange<'_>) -> Self {
        Self {
            scope: exchange.scope,
            method: exchange.method_number,
            status: 0,
            word: None,
            template: exchange.template,
        }
    }

    /// Of requests that have come as far as the event's.
    ///
    /// A status from 600 on is none that HTTP knows (RFC 9110, 15): it is an error of one name, so that
    /// a server cannot make series of them.
    #[inline]
    pub(super) fn of(exchange: &Exchange<'_>) -> Self {
        let status = exchange.status.map_or(0, |status| status.as_u16());
        let strange = status >= 600;
        let error = exchange.error.map(|error| error.as_str());
        Self {
            status: if strange { 0 } else { status },
            word: error.or(strange.then_some(OTHER)),
            ..Self::begun(exchange)
        }
    }

    pub(super) fn key(&self, id: Id) -> Key {
        Key {
            id,
            method: Some(self.method),
            status: self.status,
            word: self.word,
            template: self.template,
        }
    }

    /// Scope, method and status in one word, to be compared at once.
    fn code(&self) -> u32 {
        let scope = u32::from(self.scope == Scope::Attempt);
        scope << 31 | u32::from(self.method) << 16 | u32::from(self.status)
    }
}

impl Listed for Kind {
    #[inline]
    fn list(&self) -> usize {
        // The statuses of a class are neighbours, and so are their lists.
        (self.code() ^ (self.code() >> 14)) as usize
    }

    #[inline]
    fn is(&self, other: &Self) -> bool {
        self.code() == other.code()
            && same(self.word, other.word)
            && same(self.template, other.template)
    }
}
