//! The handles that one kind of request uses, found at once.

use std::sync::{Arc, OnceLock};

use standpipe_core::sync::atomic::{AtomicU8, Ordering};

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
    pub(super) const ALL: [Self; 4] = [
        Self::Head,
        Self::Whole,
        Self::RequestSize,
        Self::ResponseSize,
    ];

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

/// Some of what a kind has handles for, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Set(u8);

impl Set {
    pub(super) const GAUGE: Self = Self(1 << 7);

    pub(super) const fn of(measure: Measure) -> Self {
        Self(1 << measure as u8)
    }

    #[inline]
    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline]
    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there are histograms among them.
    #[inline]
    pub(super) fn has_measures(self) -> bool {
        self.without(Self::GAUGE) != Self::default()
    }
}

/// The handles of one kind, each made on its first use: a series that is never recorded is not
/// exported.
#[derive(Debug, Default)]
pub(super) struct Handles {
    /// A [`Set`]: those that are there.
    made: AtomicU8,
    /// One for all kinds of requests that begin alike; none where the exporter panicked over it: then it is
    /// not shifted at all, rather than one way alone.
    gauge: Arc<OnceLock<Option<Instrument>>>,
    histograms: [OnceLock<Instrument>; 4],
}

impl Handles {
    /// Those of requests that begin as `begin` has it.
    pub(super) fn beside(begin: &Self) -> Self {
        Self {
            gauge: Arc::clone(&begin.gauge),
            ..Self::default()
        }
    }

    #[inline]
    pub(super) fn has(&self, set: Set) -> bool {
        Set(self.made.load(Ordering::Acquire)).has(set)
    }

    /// Makes those of `set` that are missing, `None` being the gauge. `make` is the exporter's code: it
    /// runs outside of a cell's initialisation, so that it may come back here.
    #[cold]
    pub(super) fn make(&self, set: Set, make: impl Fn(Option<Measure>) -> Instrument) {
        if set.has(Set::GAUGE) {
            if self.gauge.get().is_none() {
                let _given_up = GiveUp(&self.gauge);
                let _ = self.gauge.set(Some(make(None)));
            }
            self.note(Set::GAUGE);
        }
        for measure in Measure::ALL {
            if set.has(Set::of(measure)) {
                let cell = &self.histograms[measure as usize];
                if cell.get().is_none() {
                    let _ = cell.set(make(Some(measure)));
                }
                self.note(Set::of(measure));
            }
        }
    }

    fn note(&self, made: Set) {
        self.made.fetch_or(made.0, Ordering::Release);
    }

    /// Of the gauge, if it was made.
    #[inline]
    pub(super) fn shift(&self, by: i32) {
        if let Some(Some(gauge)) = self.gauge.get() {
            gauge.shift(f64::from(by));
        }
    }

    /// A histogram, if it was made.
    #[inline]
    pub(super) fn histogram(&self, measure: Measure) -> Option<&Instrument> {
        self.histograms[measure as usize].get()
    }
}

/// What was not made by its end is never made.
struct GiveUp<'a>(&'a OnceLock<Option<Instrument>>);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        let _ = self.0.set(None);
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

    /// Those that have begun as these did; none for just those.
    pub(super) fn begin(self) -> Option<Self> {
        let begin = Self {
            status: 0,
            word: None,
            ..self
        };
        (!begin.is(&self)).then_some(begin)
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
