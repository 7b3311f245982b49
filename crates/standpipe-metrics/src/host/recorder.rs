use std::sync::Arc;
use std::time::Duration;

use standpipe_core::ErrorKind;
use standpipe_core::sync::atomic::Ordering;
use tracing::{Level, event};

use super::{Handle, Host, Shared};
use crate::count::{count, count_time};
use crate::label::ErrorType;
use crate::recorder::{BreakerState, ConnectionState, Event};

/// The name under which `tracing` filters find the events.
const TARGET: &str = "standpipe";

/// A tracing event about a host.
macro_rules! tell {
    ($shared:expr, $level:expr, { $($fields:tt)* }, $message:literal) => {
        event!(
            target: TARGET,
            $level,
            server.address = $shared.labels().address(),
            server.port = $shared.labels().port().map(i64::from),
            $($fields)*
            $message
        )
    };
}

/// One host's entry in a [`Registry`](crate::Registry): what the layers do not see by themselves is
/// told to it.
///
/// The other layers know nothing of metrics; whoever puts a stack together connects their hooks to
/// these methods. Each counts, tells the [`Recorder`](crate::Recorder), and gives a `tracing` event
/// where the table of the crate's page says so.
///
/// # Clone
///
/// Cheap; a clone is the same entry.
#[derive(Clone, Debug)]
pub struct HostRecorder {
    host: Arc<Host>,
}

impl HostRecorder {
    pub(crate) fn new(host: Arc<Host>) -> Self {
        Self { host }
    }

    pub(crate) fn handle(&self) -> Handle {
        self.host.handle()
    }

    fn shared(&self) -> &Shared {
        self.host.shared()
    }

    /// A request will be sent again, for the `resend`th time, after `delay`.
    pub fn retried(&self, resend: u32, delay: Duration) {
        let shared = self.shared();
        count(&shared.rare().retried);
        let after = delay.as_secs_f64();
        let resend = i64::from(resend);
        tell!(shared, Level::DEBUG, { http.request.resend_count = resend, delay = after, }, "retry");
        shared.tell(&Event::Retried { delay });
    }

    /// A request that could have been sent again was not, for `reason`, such as `budget`.
    pub fn retry_given_up(&self, reason: &'static str) {
        let shared = self.shared();
        count(&shared.rare().given_up);
        tell!(shared, Level::DEBUG, { reason, }, "retry given up");
        shared.tell(&Event::RetryGivenUp { reason });
    }

    /// The retry budget now allows `available` retries.
    pub fn retry_budget(&self, available: f64) {
        let shared = self.shared();
        let bits = available.to_bits();
        shared.rare().budget.store(bits, Ordering::Relaxed);
        shared.tell(&Event::RetryBudget { available });
    }

    /// The circuit breaker went from one state to another.
    pub fn breaker_transition(&self, from: BreakerState, to: BreakerState) {
        let shared = self.shared();
        let cells = shared.rare();
        count(&cells.breaker_transitions);
        if to == BreakerState::Open {
            count(&cells.breaker_opened);
        }
        cells.breaker.store(to as u64 + 1, Ordering::Relaxed);
        let (before, now) = (from.as_str(), to.as_str());
        tell!(shared, Level::INFO, { from = before, to = now, }, "circuit breaker changed");
        shared.tell(&Event::BreakerTransition { from, to });
    }

    /// The host has another circuit, in `state`, in the place of the one that was told of before; or
    /// none, which is closed. That is no transition: nothing is counted, and nobody is told where the
    /// state is known to be that already, or none was told of yet.
    pub fn breaker_replaced(&self, state: BreakerState) {
        let shared = self.shared();
        let Some(cells) = shared.rare_if_any() else {
            return;
        };
        let number = state as u64 + 1;
        let other = |known| (known != 0 && known != number).then_some(number);
        let order = Ordering::Relaxed;
        if cells.breaker.fetch_update(order, order, other).is_ok() {
            let now = state.as_str();
            tell!(shared, Level::DEBUG, { to = now, }, "circuit breaker replaced");
            shared.tell(&Event::BreakerReplaced { state });
        }
    }

    /// The rate limit made a request wait.
    pub fn limiter_waited(&self, wait: Duration) {
        let shared = self.shared();
        let cells = shared.rare();
        count(&cells.limiter_waits);
        count_time(&cells.limiter_waited_nanos, wait);
        shared.tell(&Event::LimiterWaited { wait });
    }

    /// The rate limit refused a request.
    pub fn limiter_rejected(&self) {
        let shared = self.shared();
        count(&shared.rare().limiter_rejections);
        shared.tell(&Event::LimiterRejected);
    }

    /// The rate limit holds all requests back for `pause`, as the server has asked.
    pub fn limiter_paused(&self, pause: Duration) {
        let shared = self.shared();
        count(&shared.rare().limiter_pauses);
        let seconds = pause.as_secs_f64();
        tell!(shared, Level::INFO, { pause = seconds, }, "rate limit paused");
        shared.tell(&Event::LimiterPaused { pause });
    }

    /// A connection is there, in `state`.
    pub fn connection_opened(&self, state: ConnectionState) {
        let shared = self.shared();
        let cells = shared.connections();
        count(&cells.opened);
        count(&cells.entered[state as usize]);
        tell!(shared, Level::DEBUG, {}, "connection opened");
        shared.tell(&Event::ConnectionMoved {
            from: None,
            to: Some(state),
        });
    }

    /// A connection went from one state to another.
    pub fn connection_moved(&self, from: ConnectionState, to: ConnectionState) {
        let shared = self.shared();
        let cells = shared.connections();
        count(&cells.entered[to as usize]);
        count(&cells.left[from as usize]);
        shared.tell(&Event::ConnectionMoved {
            from: Some(from),
            to: Some(to),
        });
    }

    /// A connection that was in `state` is gone, for `reason`, such as `idle`, after `lifetime`.
    pub fn connection_closed(
        &self,
        state: ConnectionState,
        reason: &'static str,
        lifetime: Duration,
    ) {
        let shared = self.shared();
        let cells = shared.connections();
        count(&cells.left[state as usize]);
        cells.count_closed(reason, lifetime);
        let seconds = lifetime.as_secs_f64();
        tell!(shared, Level::DEBUG, { reason, lifetime = seconds, }, "connection closed");
        shared.tell(&Event::ConnectionMoved {
            from: Some(state),
            to: None,
        });
        shared.tell(&Event::ConnectionClosed { reason, lifetime });
    }

    /// No connection could be opened.
    pub fn dial_failed(&self, kind: ErrorKind) {
        let shared = self.shared();
        let error = ErrorType::of_kind(kind);
        count(&shared.connections().dial_failures);
        let name = error.as_str();
        tell!(shared, Level::DEBUG, { "error.type" = name, }, "dial failed");
        shared.tell(&Event::DialFailed { error });
    }

    /// A request waited for a connection, whether it then got one or not.
    pub fn acquire_waited(&self, wait: Duration) {
        let shared = self.shared();
        shared.connections().waited(wait);
        shared.tell(&Event::AcquireWaited { wait });
    }
}
