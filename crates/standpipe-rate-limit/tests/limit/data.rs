//! The settings as data.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::{Value, from_value, json, to_value};
use standpipe_rate_limit::{Quota, RateLimitConfig, ServerWord};

use crate::{ms, n};

fn read(value: Value) -> RateLimitConfig {
    from_value(value).unwrap()
}

#[test]
fn nothing_written_is_the_defaults_and_all_written_comes_back() {
    assert_eq!(read(json!({})), RateLimitConfig::default());
    let word = ServerWord::default()
        .retry_after(false)
        .ratelimit(false)
        .x_ratelimit(false)
        .anthropic(false)
        .max_pause(ms(1_500));
    let all = RateLimitConfig {
        requests: vec![Quota::per_second(n(10)), Quota::per_hour(n(9)).burst(n(2))],
        cost: vec![Quota::per(n(7), ms(250)).unwrap()],
        max_wait: Some(Duration::ZERO),
        max_waiting: Some(4),
        server_word: Some(word),
        max_concurrent: NonZeroUsize::new(8),
    };
    let deaf = RateLimitConfig {
        server_word: None,
        ..RateLimitConfig::per_minute(n(60))
    };
    for config in [RateLimitConfig::default(), all, deaf] {
        assert_eq!(read(to_value(&config).unwrap()), config);
    }
}

#[test]
fn settings_are_written_as_the_readme_shows() {
    let written = json!({
        "requests": [
            { "amount": 60, "per": "1m" },
            { "amount": 10, "per": "1s", "burst": 2 },
        ],
        "cost": [{ "amount": 100_000, "per": "1m" }],
        "max_wait": "20s",
        "max_waiting": 1000,
        "max_concurrent": 32,
        "server_word": {
            "retry_after": true, "ratelimit": true, "x_ratelimit": true, "anthropic": false,
            "max_pause": "1m",
        },
    });
    let config = read(written.clone());
    let quotas = [
        Quota::per_minute(n(60)),
        Quota::per_second(n(10)).burst(n(2)),
    ];
    assert_eq!(config.requests, quotas);
    assert_eq!(config.max_wait, Some(Duration::from_secs(20)));
    assert_eq!(
        config.server_word,
        Some(ServerWord::default().anthropic(false))
    );
    assert_eq!(to_value(&config).unwrap(), written);
    assert_eq!(read(json!({ "server_word": "none" })).server_word, None);
}

#[test]
fn what_is_wrong_is_an_error_that_names_it() {
    for (value, told) in [
        (json!({ "request": [] }), "`request`"),
        (json!({ "server_word": { "retry": true } }), "`retry`"),
        (
            json!({ "cost": [{ "amount": 1, "per": "1s", "bursts": 1 }] }),
            "`bursts`",
        ),
        (
            json!({ "requests": [{ "amount": 0, "per": "1s" }] }),
            "nonzero",
        ),
        (
            json!({ "requests": [{ "amount": 1, "per": "0s" }] }),
            "the period of a quota is zero",
        ),
        (json!({ "max_concurrent": 0 }), "nonzero"),
    ] {
        let error = from_value::<RateLimitConfig>(value)
            .unwrap_err()
            .to_string();
        assert!(error.contains(told), "{error}");
    }
}
