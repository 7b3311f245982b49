use super::To;
use super::requests::Requests;
use super::series::Id;
use super::table::{Key, Table};
use crate::recorder::{BreakerState, ConnectionState, Event, HostLabels, HostRecord};

/// One host's part of a [`MetricsFacade`](super::MetricsFacade).
pub(super) struct FacadeHost {
    table: Table,
    requests: Requests,
}

impl FacadeHost {
    pub(super) fn new(to: To, host: &HostLabels<'_>) -> Self {
        Self {
            table: Table::new(to, host),
            requests: Requests::default(),
        }
    }

    fn connection_moved(&self, state: Option<ConnectionState>, by: f64) {
        if let Some(state) = state {
            let key = Key::of(Id::OpenConnections).word(state.as_str());
            self.table.get(key).shift(by);
        }
    }

    fn breaker(&self, now: BreakerState) {
        for state in BreakerState::ALL {
            let key = Key::of(Id::BreakerState).word(state.as_str());
            self.table
                .get(key)
                .set(if state == now { 1.0 } else { 0.0 });
        }
    }
}

impl HostRecord for FacadeHost {
    fn record_whole(&self, ended: &Event<'_>, body_ended: &Event<'_>) {
        match (ended, body_ended) {
            (Event::Ended { exchange, .. }, Event::BodyEnded { exchange: body, .. })
                if exchange.error.is_none() && body.error.is_none() =>
            {
                let both = [ended, body_ended];
                self.requests.record(&self.table, exchange, &both);
            }
            _ => {
                self.record(ended);
                self.record(body_ended);
            }
        }
    }

    fn record(&self, event: &Event<'_>) {
        match event {
            Event::Started(exchange)
            | Event::Ended { exchange, .. }
            | Event::BodyEnded { exchange, .. } => {
                self.requests.record(&self.table, exchange, &[event]);
            }
            _ => self.record_other(event),
        }
    }
}

impl FacadeHost {
    /// Of all but requests.
    fn record_other(&self, event: &Event<'_>) {
        match *event {
            Event::Started(_) | Event::Ended { .. } | Event::BodyEnded { .. } => {}
            Event::Retried { .. } => self.table.get(Key::of(Id::Retries)).count(),
            Event::RetryGivenUp { reason } => self
                .table
                .get(Key::of(Id::RetriesGivenUp).word(reason))
                .count(),
            Event::RetryBudget { available } => {
                self.table.get(Key::of(Id::RetryBudget)).set(available)
            }
            Event::BreakerTransition { to, .. } => {
                self.breaker(to);
                let key = Key::of(Id::BreakerTransitions).word(to.as_str());
                self.table.get(key).count();
            }
            Event::BreakerReplaced { state } => self.breaker(state),
            Event::LimiterWaited { wait } => self
                .table
                .get(Key::of(Id::LimiterWait))
                .measure(wait.as_secs_f64()),
            Event::LimiterRejected => self.table.get(Key::of(Id::LimiterRejections)).count(),
            Event::LimiterPaused { .. } => self.table.get(Key::of(Id::LimiterPauses)).count(),
            Event::ConnectionMoved { from, to } => {
                self.connection_moved(to, 1.0);
                self.connection_moved(from, -1.0);
            }
            Event::ConnectionClosed { reason, lifetime } => {
                self.table
                    .get(Key::of(Id::ConnectionDuration))
                    .measure(lifetime.as_secs_f64());
                self.table
                    .get(Key::of(Id::ConnectionsClosed).word(reason))
                    .count();
            }
            Event::DialFailed { error } => {
                self.table
                    .get(Key::of(Id::DialFailures).word(error.as_str()))
                    .count();
            }
            Event::AcquireWaited { wait } => self
                .table
                .get(Key::of(Id::TimeInQueue))
                .measure(wait.as_secs_f64()),
        }
    }
}
