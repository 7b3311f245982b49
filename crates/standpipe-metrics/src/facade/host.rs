use std::time::Duration;

use http::StatusCode;
use metrics::{Key as MetricKey, Label};

use super::To;
use super::series::Id;
use super::table::{Instrument, Key, Table};
use crate::label::OTHER;
use crate::recorder::{
    BreakerState, ConnectionState, Event, Exchange, HostLabels, HostRecord, Scope,
};
use crate::span::is_error;

/// One host's series.
pub(super) struct FacadeHost {
    to: To,
    labels: Vec<Label>,
    table: Table,
}

impl FacadeHost {
    pub(super) fn new(to: To, host: &HostLabels<'_>) -> Self {
        let mut labels = vec![Label::new("server.address", host.address().to_owned())];
        labels.extend(
            host.port()
                .map(|port| Label::new("server.port", port.to_string())),
        );
        Self {
            to,
            labels,
            table: Table::default(),
        }
    }

    fn count(&self, key: Key) {
        if let Instrument::Counter(counter) = self.get(key, None) {
            counter.increment(1);
        }
    }

    fn shift(&self, key: Key, method: Option<&str>, by: f64) {
        if let Instrument::Gauge(gauge) = self.get(key, method) {
            gauge.increment(by);
        }
    }

    fn set(&self, key: Key, to: f64) {
        if let Instrument::Gauge(gauge) = self.get(key, None) {
            gauge.set(to);
        }
    }

    fn measure(&self, key: Key, method: Option<&str>, value: f64) {
        if let Instrument::Histogram(histogram) = self.get(key, method) {
            histogram.record(value);
        }
    }

    fn time(&self, id: Id, time: Duration) {
        self.measure(Key::of(id), None, time.as_secs_f64());
    }

    #[inline]
    fn get(&self, key: Key, method: Option<&str>) -> &Instrument {
        self.table.get(key, || self.resolve(key, method))
    }

    #[cold]
    fn resolve(&self, key: Key, method: Option<&str>) -> Instrument {
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
        let name = MetricKey::from_parts(series.name, labels);
        self.to.resolve(series.kind, &name)
    }

    fn ended(&self, exchange: &Exchange<'_>, elapsed: Duration, request_bytes: Option<u64>) {
        let method = Some(exchange.method);
        self.shift(active(exchange), method, -1.0);
        let seconds = elapsed.as_secs_f64();
        let id = match exchange.scope {
            Scope::Request => Id::CallDuration,
            Scope::Attempt => Id::RequestDuration,
        };
        self.measure(of_exchange(id, exchange), method, seconds);
        // A request without a body has no size of one.
        if let (Scope::Attempt, Some(bytes @ 1..)) = (exchange.scope, request_bytes) {
            let key = of_exchange(Id::RequestBodySize, exchange);
            self.measure(key, method, bytes as f64);
        }
    }

    fn body_ended(&self, exchange: &Exchange<'_>, elapsed: Duration, bytes: u64) {
        let method = Some(exchange.method);
        let seconds = elapsed.as_secs_f64();
        match exchange.scope {
            Scope::Request => {
                let key = of_exchange(Id::CallResponseDuration, exchange);
                self.measure(key, method, seconds);
            }
            Scope::Attempt => {
                let key = of_exchange(Id::ResponseDuration, exchange);
                self.measure(key, method, seconds);
                let key = of_exchange(Id::ResponseBodySize, exchange);
                self.measure(key, method, bytes as f64);
            }
        }
    }

    fn connection_moved(&self, state: Option<ConnectionState>, by: f64) {
        if let Some(state) = state {
            let key = Key::of(Id::OpenConnections).word(state.as_str());
            self.shift(key, None, by);
        }
    }

    fn breaker(&self, now: BreakerState) {
        for state in BreakerState::ALL {
            let key = Key::of(Id::BreakerState).word(state.as_str());
            self.set(key, if state == now { 1.0 } else { 0.0 });
        }
    }
}

impl HostRecord for FacadeHost {
    fn record(&self, event: &Event<'_>) {
        match *event {
            Event::Started(ref exchange) => {
                self.shift(active(exchange), Some(exchange.method), 1.0)
            }
            Event::Ended {
                ref exchange,
                elapsed,
                request_bytes,
            } => self.ended(exchange, elapsed, request_bytes),
            Event::BodyEnded {
                ref exchange,
                elapsed,
                bytes,
            } => self.body_ended(exchange, elapsed, bytes),
            Event::Retried { .. } => self.count(Key::of(Id::Retries)),
            Event::RetryGivenUp { reason } => self.count(Key::of(Id::RetriesGivenUp).word(reason)),
            Event::RetryBudget { available } => self.set(Key::of(Id::RetryBudget), available),
            Event::BreakerTransition { to, .. } => {
                self.breaker(to);
                self.count(Key::of(Id::BreakerTransitions).word(to.as_str()));
            }
            Event::BreakerReplaced { state } => self.breaker(state),
            Event::LimiterWaited { wait } => self.time(Id::LimiterWait, wait),
            Event::LimiterRejected => self.count(Key::of(Id::LimiterRejections)),
            Event::LimiterPaused { .. } => self.count(Key::of(Id::LimiterPauses)),
            Event::ConnectionMoved { from, to } => {
                self.connection_moved(to, 1.0);
                self.connection_moved(from, -1.0);
            }
            Event::ConnectionClosed { reason, lifetime } => {
                self.time(Id::ConnectionDuration, lifetime);
                self.count(Key::of(Id::ConnectionsClosed).word(reason));
            }
            Event::DialFailed { error } => {
                self.count(Key::of(Id::DialFailures).word(error.as_str()));
            }
            Event::AcquireWaited { wait } => self.time(Id::TimeInQueue, wait),
        }
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

fn active(exchange: &Exchange<'_>) -> Key {
    let id = match exchange.scope {
        Scope::Request => Id::ActiveCalls,
        Scope::Attempt => Id::ActiveRequests,
    };
    Key {
        method: Some(exchange.method_number),
        template: exchange.template,
        ..Key::of(id)
    }
}

/// A status from 600 on is none that HTTP knows (RFC 9110, 15): it is an error of one name, so that a
/// server cannot make series of them.
fn of_exchange(id: Id, exchange: &Exchange<'_>) -> Key {
    let status = exchange.status.map_or(0, |status| status.as_u16());
    let strange = status >= 600;
    let error = exchange.error.map(|error| error.as_str());
    Key {
        id,
        method: Some(exchange.method_number),
        status: if strange { 0 } else { status },
        word: error.or(strange.then_some(OTHER)),
        template: exchange.template,
    }
}
