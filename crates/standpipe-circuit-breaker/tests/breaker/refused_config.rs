use super::*;
use standpipe_circuit_breaker::{Span, Trip, Window};

fn refused(config: &CircuitBreakerConfig) -> String {
    let error = Handle::new(config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(CircuitBreakerLayer::new(config.clone()).is_err());
    error.to_string()
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let window = Window::by_count(100);
    for (config, field) in [
        (config().threshold(0), "threshold is 0"),
        (
            config().threshold(Trip::MAX_THRESHOLD + 1),
            "threshold is 16777216",
        ),
        (config().reset_period(Duration::ZERO), "reset_period is 0ns"),
        (
            config().reset_period(301 * SECOND),
            "max_reset_period is 300s",
        ),
        (config().reset_factor(0.5), "reset_factor is 0.5"),
        (config().reset_factor(f64::NAN), "reset_factor is NaN"),
        (config().reset_factor(f64::INFINITY), "reset_factor is inf"),
        (config().reset_jitter(-0.1), "reset_jitter is -0.1"),
        (config().reset_jitter(1.1), "reset_jitter is 1.1"),
        (config().reset_jitter(f64::NAN), "reset_jitter is NaN"),
        (config().half_open_max(0), "half_open_max is 0"),
        (config().probe_successes(0), "probe_successes is 0"),
        (
            config().probe_timeout(Duration::ZERO),
            "probe_timeout is 0ns",
        ),
        (config().window(Window::by_count(0)), "window.span is 0"),
        (
            config().window(Window::by_count(Span::MAX_CALLS + 1)),
            "window.span is 1000001",
        ),
        (
            config().window(Window::by_time(Duration::ZERO)),
            "window.span is 0ns",
        ),
        (
            config().window(window.minimum_calls(0)),
            "window.minimum_calls is 0",
        ),
        (
            config().window(window.minimum_calls(101)),
            "window.minimum_calls is 101",
        ),
        (
            config().window(window.failure_rate(0.0)),
            "window.failure_rate is 0",
        ),
        (
            config().window(window.failure_rate(1.01)),
            "window.failure_rate is 1.01",
        ),
        (
            config().window(window.failure_rate(f64::NAN)),
            "window.failure_rate is NaN",
        ),
        (
            config().window(window.failure_rate(None)),
            "window.failure_rate is none",
        ),
        (
            config().window(window.slow_calls(SECOND, 0.0)),
            "window.slow_calls.rate is 0",
        ),
        (
            config().window(window.slow_calls(Duration::ZERO, 1.0)),
            "window.slow_calls.slow_after",
        ),
    ] {
        let message = refused(&config);
        assert!(message.contains(field), "{message}");
    }
}

#[test]
fn the_defaults_and_the_extremes_are_accepted() {
    let extreme = config()
        .threshold(Trip::MAX_THRESHOLD)
        .reset_period(Duration::MAX)
        .max_reset_period(Duration::MAX)
        .half_open_max(u32::MAX)
        .probe_timeout(Duration::MAX);
    let window = Window::by_time(Duration::MAX)
        .minimum_calls(u32::MAX)
        .failure_rate(1.0);
    for config in [
        CircuitBreakerConfig::default(),
        extreme,
        config().window(window),
    ] {
        assert_eq!(config.check().err().map(|error| error.to_string()), None);
    }
}
