use std::time::Duration;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    #[serde(with = "super::duration")]
    wait: Duration,
    #[serde(
        with = "super::duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    longest: Option<Duration>,
    #[serde(with = "super::or_none")]
    rate: Option<f64>,
    #[serde(with = "super::or_none")]
    inner: Option<Inner>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    size: u8,
}

fn read(text: serde_json::Value) -> Result<Settings, String> {
    serde_json::from_value(text).map_err(|error| error.to_string())
}

#[test]
fn durations_are_read_with_their_units_and_written_without_spaces() {
    for (text, millis) in [
        ("30s", 30_000),
        ("1m30s", 90_000),
        ("1m 30s", 90_000),
        ("250ms", 250),
        ("2h", 7_200_000),
        ("0s", 0),
    ] {
        let wait = Duration::from_millis(millis);
        assert_eq!(read(json!({ "wait": text })).unwrap().wait, wait, "{text}");
        let longest = read(json!({ "longest": text })).unwrap().longest;
        assert_eq!(longest, Some(wait), "{text}");
    }
    let settings = Settings {
        wait: Duration::from_millis(90_250),
        longest: Some(Duration::from_secs(7)),
        ..Settings::default()
    };
    let expected = json!({
        "wait": "1m30s250ms", "longest": "7s", "rate": "none", "inner": "none"
    });
    assert_eq!(serde_json::to_value(settings).unwrap(), expected);
}

#[test]
fn what_is_no_duration_is_refused_with_what_it_should_be() {
    for (value, told) in [
        (json!(30), "such as \"30s\""),
        (json!("30"), "\"30\" is no duration"),
        (json!("-1s"), "\"-1s\" is no duration"),
        (json!("5 parsecs"), "\"5 parsecs\" is no duration"),
        (json!("9999999999999999999999s"), "is no duration"),
    ] {
        for key in ["wait", "longest"] {
            let error = read(json!({ key: value })).unwrap_err();
            assert!(error.contains(told), "{value}: {error}");
        }
    }
}

#[test]
fn none_turns_off_and_a_value_keeps_its_own_errors() {
    let off = read(json!({ "rate": "none", "inner": null })).unwrap();
    assert_eq!((off.rate, off.inner), (None, None));
    let on = read(json!({ "rate": 1, "inner": { "size": 3 } })).unwrap();
    assert_eq!((on.rate, on.inner), (Some(1.0), Some(Inner { size: 3 })));
    let error = read(json!({ "inner": { "size": 3, "colour": 1 } })).unwrap_err();
    assert!(error.contains("unknown field `colour`"), "{error}");
    let error = read(json!({ "rate": "half" })).unwrap_err();
    assert!(error.contains("half"), "{error}");
}

proptest! {
    #[test]
    fn every_duration_comes_back_as_it_was(secs: u64, nanos in 0u32..1_000_000_000) {
        let wait = Duration::new(secs, nanos);
        let settings = Settings { wait, longest: Some(wait), rate: Some(0.5), ..Settings::default() };
        let text = serde_json::to_string(&settings).unwrap();
        prop_assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
    }
}
