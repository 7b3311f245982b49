//! The settings as data.

use std::time::Duration;

use serde_json::{Value, from_value, json, to_value};
use standpipe_circuit_breaker::{CircuitBreakerConfig, Trip, Window};

use crate::SECOND;

fn read(value: Value) -> CircuitBreakerConfig {
    from_value(value).unwrap()
}

#[test]
fn nothing_written_is_the_defaults_and_all_written_comes_back() {
    assert_eq!(read(json!({})), CircuitBreakerConfig::default());
    let by_time = Window::by_time(30 * SECOND).failure_rate(None);
    let all = CircuitBreakerConfig::new()
        .window(by_time.slow_calls(2 * SECOND, 0.9).minimum_calls(3))
        .reset_period(10 * SECOND)
        .reset_factor(1.5)
        .max_reset_period(60 * SECOND)
        .reset_jitter(0.2)
        .jitter_seed(Some(7))
        .max_retry_after(90 * SECOND)
        .half_open_max(3)
        .probe_successes(2)
        .probe_timeout(Duration::from_millis(1500))
        .dropped_after(Some(5 * SECOND))
        .count_successes(true);
    let by_count = CircuitBreakerConfig::new().window(Window::by_count(5));
    for config in [CircuitBreakerConfig::default(), all, by_count] {
        assert_eq!(read(to_value(&config).unwrap()), config);
    }
}

#[test]
fn settings_are_written_as_the_readme_shows() {
    let written = read(json!({
        "reset_period": "10s",
        "half_open_max": 3,
        "trip": { "window": {
            "span": { "time": "1m30s" },
            "failure_rate": "none",
            "slow_calls": { "slow_after": "2s", "rate": 0.9 },
        } },
    }));
    let window = Window::by_time(90 * SECOND).failure_rate(None);
    let expected = CircuitBreakerConfig::new()
        .reset_period(10 * SECOND)
        .half_open_max(3)
        .window(window.slow_calls(2 * SECOND, 0.9));
    assert_eq!(written, expected);
    let text = to_value(&written).unwrap();
    assert_eq!(text["reset_period"], "10s");
    assert_eq!(text["trip"]["window"]["span"], json!({ "time": "1m30s" }));
}

#[test]
fn a_window_that_leaves_things_out_is_as_its_constructor_makes_it() {
    let window = |span| read(json!({ "trip": { "window": { "span": span } } })).trip;
    let few = window(json!({ "calls": 4 }));
    assert_eq!(few, Trip::Window(Window::by_count(4)));
    let timed = window(json!({ "time": "1s" }));
    assert_eq!(timed, Trip::Window(Window::by_time(SECOND)));
}

#[test]
fn an_unknown_key_is_an_error_that_names_it() {
    for (value, name) in [
        (json!({ "treshold": 5 }), "`treshold`"),
        (
            json!({ "trip": { "consecutive": { "treshold": 5 } } }),
            "`treshold`",
        ),
        (json!({ "trip": { "windows": {} } }), "`windows`"),
        (
            json!({ "trip": { "window": { "span": { "calls": 5 }, "minimum": 2 } } }),
            "`minimum`",
        ),
        (
            json!({ "trip": { "window": {
                "span": { "calls": 5 }, "slow_calls": { "slow_after": "1s", "rate": 1, "of": 2 }
            } } }),
            "`of`",
        ),
    ] {
        let error = from_value::<CircuitBreakerConfig>(value)
            .unwrap_err()
            .to_string();
        assert!(error.contains(name), "{error}");
    }
}
