//! The policy as data.

use std::time::Duration;

use serde_json::{from_value, json, to_value};
use standpipe_retry::{BudgetPolicy, ExponentialBackoff, Jitter, Methods, RetryPolicy, TooLong};

#[test]
fn nothing_written_is_the_defaults_and_all_written_comes_back() {
    let policy: RetryPolicy = from_value(json!({})).unwrap();
    assert_eq!(policy, RetryPolicy::default());
    let backoff = ExponentialBackoff::new(Duration::from_millis(250))
        .multiplier(1.5)
        .max(Duration::from_secs(90));
    let jitters = [
        Jitter::None,
        Jitter::Proportional(0.3),
        Jitter::Full,
        Jitter::Equal,
    ];
    for jitter in jitters {
        let policy = RetryPolicy::new()
            .max_retries(7)
            .backoff(backoff.jitter(jitter))
            .statuses([408, 529])
            .answered(Methods::Idempotent)
            .unanswered(Methods::Any)
            .max_retry_after(Duration::from_millis(1500))
            .too_long(TooLong::Clamp)
            .replay_cap(1)
            .budget(BudgetPolicy::default().ratio(0.5).per_second(1).carry(2));
        let back: RetryPolicy = from_value(to_value(&policy).unwrap()).unwrap();
        assert_eq!(back, policy);
    }
}

#[test]
fn a_policy_is_written_as_the_readme_shows() {
    let written = json!({
        "max_retries": 2,
        "statuses": [429, 503, 529],
        "answered": "any",
        "unanswered": "idempotent",
        "max_retry_after": "1m30s",
        "too_long": "give_up",
        "replay_cap": 65536,
        "backoff": {
            "initial": "500ms", "multiplier": 2.0, "max": "8s", "jitter": { "proportional": 0.1 }
        },
        "budget": { "ratio": 0.2, "per_second": 10, "carry": 100 },
    });
    let policy: RetryPolicy = from_value(written.clone()).unwrap();
    let backoff = ExponentialBackoff::new(Duration::from_millis(500)).max(Duration::from_secs(8));
    let expected = RetryPolicy::new()
        .max_retries(2)
        .statuses([429, 503, 529])
        .max_retry_after(Duration::from_secs(90))
        .backoff(backoff);
    assert_eq!(policy, expected);
    assert_eq!(to_value(&policy).unwrap(), written);
}

#[test]
fn a_budget_of_none_is_no_limit_and_one_left_out_is_the_default() {
    let policy: RetryPolicy = from_value(json!({ "budget": "none" })).unwrap();
    assert_eq!(policy.budget, None);
    assert_eq!(to_value(&policy).unwrap()["budget"], "none");
    let policy: RetryPolicy = from_value(json!({ "budget": { "ratio": 1 } })).unwrap();
    assert_eq!(policy.budget, Some(BudgetPolicy::default().ratio(1.0)));
}

#[test]
fn an_unknown_key_is_an_error_that_names_it() {
    for (value, name) in [
        (json!({ "max_retrys": 2 }), "`max_retrys`"),
        (json!({ "backoff": { "inital": "1s" } }), "`inital`"),
        (json!({ "budget": { "share": 1 } }), "`share`"),
        (json!({ "answered": "all" }), "`all`"),
        (json!({ "backoff": { "jitter": "some" } }), "`some`"),
    ] {
        let error = from_value::<RetryPolicy>(value).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}
