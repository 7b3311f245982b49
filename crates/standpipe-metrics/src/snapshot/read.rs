//! How the counters become a snapshot.

use std::time::Duration;

use standpipe_core::sync::atomic::{AtomicU64, Ordering};

use super::{
    BodyMetrics, ConnectionMetrics, Figures, HostMetrics, Latency, PoolMetrics, RequestMetrics,
    StatusMetrics,
};
use crate::count::{Cells, Connections, Distribution, Rare, Sums};
use crate::host::Shared;
use crate::label::{ErrorType, OTHER};
use crate::recorder::{BreakerState, ConnectionState, Scope};

impl PoolMetrics {
    pub(crate) fn of<'a>(
        hosts: usize,
        recorder_panics: u64,
        all: impl Iterator<Item = &'a Shared> + Clone,
    ) -> Self {
        Self {
            hosts,
            recorder_panics,
            figures: Figures::of(all),
        }
    }
}

impl HostMetrics {
    pub(crate) fn of<'a>(name: String, all: impl Iterator<Item = &'a Shared> + Clone) -> Self {
        Self {
            name,
            figures: Figures::of(all),
        }
    }
}

impl Shared {
    pub(crate) fn name(&self) -> String {
        let origin = self.origin.as_ref();
        origin.map_or_else(|| OTHER.to_owned(), ToString::to_string)
    }
}

impl Figures {
    fn of<'a>(hosts: impl Iterator<Item = &'a Shared> + Clone) -> Self {
        let (mut requests, mut attempts) = (Sums::new(), Sums::new());
        let mut figures = Self::default();
        let (mut waits, mut waited) = (Distribution::new(), 0);
        let mut lifetimes = 0;
        for host in hosts {
            requests.add(Scope::Request, || host.all_cells());
            attempts.add(Scope::Attempt, || host.all_cells());
            let connections = &mut figures.connections;
            connections.reused += host.all_cells().map(Cells::reused).sum::<u64>();
            if let Some(cells) = host.connections_if_any() {
                lifetimes = connections.add(cells).saturating_add(lifetimes);
                waited = cells.add_waits_to(&mut waits).saturating_add(waited);
            }
            if let Some(cells) = host.rare_if_any() {
                figures.add_rare(cells);
            }
        }
        figures.requests.fill(&requests);
        figures.attempts.fill(&attempts);
        let connections = &mut figures.connections;
        connections.acquire_wait = Latency::of(&waits, waited);
        connections.average_lifetime = average(lifetimes, connections.closed);
        if connections.reused > 0 {
            let responses = figures.attempts.responses.max(connections.reused);
            connections.reuse_share = connections.reused as f64 / responses as f64;
        }
        figures
    }

    fn add_rare(&mut self, cells: &Rare) {
        self.requests.add_errors(cells.errors(Scope::Request));
        self.attempts.add_errors(cells.errors(Scope::Attempt));
        self.retries.retried += get(&cells.retried);
        self.retries.given_up += get(&cells.given_up);
        let budget = f64::from_bits(get(&cells.budget));
        if !budget.is_nan() {
            self.retries.budget = Some(self.retries.budget.unwrap_or(0.0) + budget);
        }
        let state = get(&cells.breaker).checked_sub(1);
        if let Some(state) = state.and_then(|number| BreakerState::ALL.get(number as usize)) {
            let worst = self.breaker.state.map_or(0, |state| state as usize);
            self.breaker.state = Some(BreakerState::ALL[worst.max(*state as usize)]);
            self.breaker.not_closed += u64::from(*state != BreakerState::Closed);
        }
        self.breaker.opened += get(&cells.breaker_opened);
        self.breaker.transitions += get(&cells.breaker_transitions);
        self.limiter.waited += get(&cells.limiter_waits);
        self.limiter.wait_time += Duration::from_nanos(get(&cells.limiter_waited_nanos));
        self.limiter.rejected += get(&cells.limiter_rejections);
        self.limiter.pauses += get(&cells.limiter_pauses);
    }
}

impl ConnectionMetrics {
    /// Adds a host's; gives the nanoseconds that those closed have lived.
    fn add(&mut self, cells: &Connections) -> u64 {
        self.active += cells.now(ConnectionState::Active as usize);
        self.idle += cells.now(ConnectionState::Idle as usize);
        self.opened += get(&cells.opened);
        self.dial_failures += get(&cells.dial_failures);
        let (reasons, lifetimes) = cells.closed();
        for (reason, n) in reasons {
            *self.closed_by_reason.entry(reason).or_default() += n;
            self.closed += n;
        }
        lifetimes
    }
}

impl RequestMetrics {
    fn add_errors(&mut self, errors: impl Iterator<Item = (ErrorType, u64)>) {
        for (error, n) in errors {
            *self.errors_by_kind.entry(error.as_str()).or_default() += n;
            if error.is_rejection() {
                self.rejected += n;
            }
        }
    }

    fn fill(&mut self, sums: &Sums) {
        let [
            success,
            redirection,
            client_error,
            throttled,
            server_error,
            errors,
            cancelled,
        ] = sums.ended;
        self.statuses = StatusMetrics {
            success,
            redirection,
            client_error,
            too_many_requests: throttled,
            server_error,
        };
        self.total = sums.started;
        self.successful = success + redirection + client_error + throttled;
        self.responses = self.successful + server_error;
        self.errors = errors;
        self.failed = server_error + errors;
        self.cancelled = cancelled;
        self.in_flight = self
            .total
            .saturating_sub(self.successful + self.failed + cancelled);
        let [complete, failed, abandoned] = sums.bodies;
        self.bodies = BodyMetrics {
            complete,
            failed,
            abandoned,
            open: self.responses.saturating_sub(complete + failed + abandoned),
        };
        self.bytes_in = sums.bytes_in;
        self.bytes_out = sums.bytes_out;
        self.latency = Latency::of(&sums.head, sums.head_nanos);
        self.latency_to_end = Latency::of(&sums.end, sums.end_nanos);
    }
}

impl Latency {
    fn of(all: &Distribution, nanos: u64) -> Self {
        let count = all.count();
        let quantile = |q| Duration::from_nanos(all.quantile(q));
        if count == 0 {
            return Self::default();
        }
        Self {
            count,
            total: Duration::from_nanos(nanos),
            average: average(nanos, count),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p999: quantile(0.999),
        }
    }
}

fn get(cell: &AtomicU64) -> u64 {
    cell.load(Ordering::Acquire)
}

fn average(nanos: u64, count: u64) -> Duration {
    Duration::from_nanos(nanos.checked_div(count).unwrap_or(0))
}
