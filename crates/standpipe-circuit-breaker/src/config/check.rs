//! What is refused, by name, before a breaker is made of it.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use standpipe_core::{Error, ErrorKind, Phase};

use super::{CircuitBreakerConfig, SlowCalls, Span, Trip, Window};

impl CircuitBreakerConfig {
    /// Checks every setting; making a breaker does so too.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config), naming the field, its value and what is allowed.
    pub fn check(&self) -> Result<(), Error> {
        match self.trip {
            Trip::Consecutive { threshold } => {
                within("threshold", threshold, 1..=Trip::MAX_THRESHOLD)?;
            }
            Trip::Window(window) => check_window(&window)?,
        }
        over_zero("reset_period", self.reset_period)?;
        over_zero("probe_timeout", self.probe_timeout)?;
        let factor = self.reset_factor;
        if !(factor >= 1.0 && factor.is_finite()) {
            return Err(refused("reset_factor", factor, "at least 1 and finite"));
        }
        if self.max_reset_period < self.reset_period {
            let allowed = format!("at least reset_period, which is {:?}", self.reset_period);
            return Err(refused(
                "max_reset_period",
                Long(self.max_reset_period),
                &allowed,
            ));
        }
        if !(0.0..=1.0).contains(&self.reset_jitter) {
            return Err(refused("reset_jitter", self.reset_jitter, "from 0 to 1"));
        }
        within("half_open_max", self.half_open_max, 1..=u32::MAX)?;
        within("probe_successes", self.successes_to_close(), 1..=u32::MAX)
    }
}

fn check_window(window: &Window) -> Result<(), Error> {
    let most = match window.span {
        Span::Calls(calls) => {
            within("window.span", calls, 1..=Span::MAX_CALLS)?;
            calls
        }
        Span::Time(time) => {
            if time < Duration::from_millis(1) {
                return Err(refused("window.span", Long(time), "at least 1ms"));
            }
            u32::MAX
        }
    };
    within("window.minimum_calls", window.minimum_calls, 1..=most)?;
    if let Some(rate) = window.failure_rate {
        check_rate("window.failure_rate", rate)?;
    }
    if let Some(SlowCalls { slow_after, rate }) = window.slow_calls {
        over_zero("window.slow_calls.slow_after", slow_after)?;
        check_rate("window.slow_calls.rate", rate)?;
    }
    if window.failure_rate.is_none() && window.slow_calls.is_none() {
        let allowed = "a rate where there are no slow_calls to look at";
        return Err(refused("window.failure_rate", "none", allowed));
    }
    Ok(())
}

fn check_rate(field: &str, rate: f64) -> Result<(), Error> {
    if rate > 0.0 && rate <= 1.0 {
        return Ok(());
    }
    Err(refused(field, rate, "more than 0 and at most 1"))
}

fn over_zero(field: &str, value: Duration) -> Result<(), Error> {
    if value > Duration::ZERO {
        return Ok(());
    }
    Err(refused(field, Long(value), "more than zero"))
}

fn within(field: &str, value: u32, allowed: RangeInclusive<u32>) -> Result<(), Error> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let allowed = format!("from {} to {}", allowed.start(), allowed.end());
    Err(refused(field, value, &allowed))
}

fn refused(field: &str, value: impl fmt::Display, allowed: &str) -> Error {
    Error::new(ErrorKind::Config)
        .with_phase(Phase::Check)
        .with_message(format!("{field} is {value}, but must be {allowed}"))
}

struct Long(Duration);

impl fmt::Display for Long {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
