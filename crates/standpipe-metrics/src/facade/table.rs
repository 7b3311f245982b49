//! The series of one host.

use http::StatusCode;
use metrics::{Counter, Gauge, Histogram, Label};

use super::To;
use super::lists::{Listed, Lists, same};
use super::series::Id;
use crate::recorder::HostLabels;
use crate::span::is_error;

/// The handles of one host, each made once.
pub(super) struct Table {
    to: To,
    labels: Vec<Label>,
    handles: Lists<Key, Instrument, 8>,
}

/// What tells one series of a host from another: each part from a bounded set, so the table is too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) id: Id,
    pub(super) method: Option<u8>,
    /// 0 where there is none.
    pub(super) status: u16,
    /// The error, reason or state: text of the program.
    pub(super) word: Option<&'static str>,
    pub(super) template: Option<&'static str>,
}

/// A handle of the kind that its series is.
#[derive(Clone, Debug)]
pub(super) enum Instrument {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

impl Table {
    pub(super) fn new(to: To, host: &HostLabels<'_>) -> Self {
        let mut labels = vec![Label::new("server.address", host.address().to_owned())];
        let port = host.port();
        labels.extend(port.map(|port| Label::new("server.port", port.to_string())));
        Self {
            to,
            labels,
            handles: Lists::default(),
        }
    }

    pub(super) fn get(&self, key: Key) -> &Instrument {
        self.handles.get(&key, || self.make(key, None))
    }

    /// Of requests with that method.
    #[cold]
    pub(super) fn of_request(&self, key: Key, method: &str) -> Instrument {
        self.handles
            .get(&key, || self.make(key, Some(method)))
            .clone()
    }

    #[cold]
    fn make(&self, key: Key, method: Option<&str>) -> Instrument {
        let series = key.id.series();
        let mut labels = self.labels.clone();
        let mut add = |name: &'static str, value: String| labels.push(Label::new(name, value));
        if let Some(method) = method {
            add("http.request.method", method.to_owned());
        }
        if let Some(template) = key.template {
            add("url.template", template.to_owned());
        }
        let status = StatusCode::from_u16(key.status).ok();
        if let Some(status) = status {
            add("http.response.status_code", status.as_str().to_owned());
        }
        match (key.word, status) {
            (Some(word), _) => add(word_of(key.id), word.to_owned()),
            (None, Some(status)) if is_error(status) => {
                add("error.type", status.as_str().to_owned());
            }
            (None, _) => {}
        }
        let name = metrics::Key::from_parts(series.name, labels);
        self.to.resolve(series.kind, &name)
    }
}

impl Instrument {
    pub(super) fn count(&self) {
        if let Self::Counter(counter) = self {
            counter.increment(1);
        }
    }

    #[inline]
    pub(super) fn shift(&self, by: f64) {
        if let Self::Gauge(gauge) = self {
            gauge.increment(by);
        }
    }

    pub(super) fn set(&self, to: f64) {
        if let Self::Gauge(gauge) = self {
            gauge.set(to);
        }
    }

    #[inline]
    pub(super) fn measure(&self, value: f64) {
        if let Self::Histogram(histogram) = self {
            histogram.record(value);
        }
    }
}

impl Key {
    pub(super) fn of(id: Id) -> Self {
        Self {
            id,
            method: None,
            status: 0,
            word: None,
            template: None,
        }
    }

    pub(super) fn word(mut self, word: &'static str) -> Self {
        self.word = Some(word);
        self
    }
}

impl Listed for Key {
    fn list(&self) -> usize {
        let method = usize::from(self.method.unwrap_or(0));
        self.id as usize + 5 * method + usize::from(self.status)
    }

    fn is(&self, other: &Self) -> bool {
        self.id == other.id
            && self.method == other.method
            && self.status == other.status
            && same(self.word, other.word)
            && same(self.template, other.template)
    }
}

/// The label that a key's word is for.
fn word_of(id: Id) -> &'static str {
    match id {
        Id::OpenConnections => "http.connection.state",
        Id::ConnectionsClosed => "http.connection.close_reason",
        Id::RetriesGivenUp => "http.retry.reason",
        Id::BreakerState | Id::BreakerTransitions => "http.circuit_breaker.state",
        _ => "error.type",
    }
}
