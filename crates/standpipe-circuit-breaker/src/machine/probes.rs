use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::time::Duration;

use standpipe_core::Deadline;
use tokio::time::Instant;

use crate::CircuitBreakerConfig;

/// The right to one probe. It is never reused within a half-open period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease(NonZeroU64);

/// The probes of a half-open breaker.
#[derive(Debug)]
pub(super) struct Probes {
    // By age, so the first is the first to run out.
    leases: VecDeque<(Lease, Instant)>,
    last: u64,
    successes: u32,
    at_once: usize,
    needed: u32,
    timeout: Duration,
}

impl Probes {
    pub(super) fn new(config: &CircuitBreakerConfig) -> Self {
        Self {
            leases: VecDeque::new(),
            last: 0,
            successes: 0,
            at_once: config.half_open_max as usize,
            needed: config.successes_to_close(),
            timeout: config.probe_timeout,
        }
    }

    /// A new half-open period begins: nobody probes, and nothing has succeeded.
    pub(super) fn restart(&mut self) {
        self.leases.clear();
        self.last = 0;
        self.successes = 0;
    }

    /// The right to a probe, where there is one. A hung probe loses its place here, and only when
    /// somebody else wants it.
    pub(super) fn lease(&mut self, now: Instant) -> Option<Lease> {
        if self.is_full() {
            if !self.oldest_ran_out(now) {
                return None;
            }
            self.leases.pop_front();
        }
        self.last += 1;
        let lease = Lease(NonZeroU64::new(self.last)?);
        let end = Deadline::after_instant(now, self.timeout).instant();
        self.leases.push_back((lease, end));
        Some(lease)
    }

    /// Whether [`lease`](Self::lease) would give none.
    pub(super) fn refuses(&self, now: Instant) -> bool {
        self.is_full() && !self.oldest_ran_out(now)
    }

    /// The probe has ended. False where its place had gone to another one.
    pub(super) fn give_back(&mut self, lease: Lease) -> bool {
        let place = self.leases.iter().position(|(held, _)| *held == lease);
        place.is_some_and(|place| self.leases.remove(place).is_some())
    }

    /// One probe more has succeeded: whether that is enough.
    pub(super) fn succeed(&mut self) -> bool {
        self.successes += 1;
        self.successes >= self.needed
    }

    /// What is under way may be all that it takes; more would only be load for one that recovers.
    fn is_full(&self) -> bool {
        let under_way = self.leases.len();
        under_way >= self.at_once
            || under_way + self.successes as usize >= self.at_once.max(self.needed as usize)
    }

    fn oldest_ran_out(&self, now: Instant) -> bool {
        self.leases.front().is_some_and(|(_, end)| *end <= now)
    }
}
