use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::table::{headers, hear, noon};
use super::{Heard, ServerWord, date, duration, number, structured};

type Case = (
    &'static [(&'static str, &'static str)],
    fn(ServerWord) -> ServerWord,
);

#[test]
fn each_word_can_be_turned_off() {
    let cases: [Case; 4] = [
        (&[("retry-after", "5")], |word| word.retry_after(false)),
        (&[("ratelimit", r#""a";r=0;t=5"#)], |word| {
            word.ratelimit(false)
        }),
        (
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "5")],
            |word| word.x_ratelimit(false),
        ),
        (
            &[
                ("anthropic-ratelimit-tokens-remaining", "0"),
                ("anthropic-ratelimit-tokens-reset", "2025-08-21T12:40:05Z"),
            ],
            |word| word.anthropic(false),
        ),
    ];
    for (pairs, off) in cases {
        let five = Some(Duration::from_secs(5));
        assert_eq!(hear(429, pairs).pause, five, "{pairs:?}");
        let deaf = off(ServerWord::default());
        let heard = deaf.hear(StatusCode::TOO_MANY_REQUESTS, &headers(pairs), noon);
        assert_eq!(heard, Heard::default(), "{pairs:?}");
        let none = ServerWord::none().hear(StatusCode::TOO_MANY_REQUESTS, &headers(pairs), noon);
        assert_eq!(none, Heard::default(), "{pairs:?}");
    }
}

#[test]
fn go_durations() {
    let nanos = |text| duration::go(text).map(|duration| duration.as_nanos());
    for (text, expected) in [
        ("12ms", Some(12_000_000)),
        ("6m0s", Some(360_000_000_000)),
        ("1h2m3.5s", Some(3_723_500_000_000)),
        ("1.5h", Some(5_400_000_000_000)),
        ("7\u{b5}s", Some(7_000)),
        ("7us3ns", Some(7_003)),
        ("", None),
        ("-1s", None),
        ("1", None),
        ("s", None),
        ("1d", None),
        ("1s2", None),
        ("1..5s", None),
        (".s", None),
        (
            "99999999999999999999999h",
            Some(u128::from(u64::MAX) * 3_600_000_000_000),
        ),
    ] {
        let expected = expected.map(|n: u128| n.min(u128::from(u64::MAX) * 1_000_000_000));
        let found = nanos(text).map(|n| n / 1_000_000_000 * 1_000_000_000 + n % 1_000_000_000);
        match text.len() > 20 {
            true => assert!(found > Some(u128::from(u64::MAX)), "{text}"),
            false => assert_eq!(found, expected, "{text}"),
        }
    }
}

#[test]
fn instants() {
    let seconds = |text| {
        let since = date::rfc3339(text)?.duration_since(UNIX_EPOCH).ok()?;
        Some(since.as_secs_f64())
    };
    for (text, expected) in [
        ("1970-01-01T00:00:00Z", Some(0.0)),
        ("2000-02-29T12:00:00Z", Some(951_825_600.0)),
        ("2025-08-21t12:40:59z", Some(1_755_780_059.0)),
        ("2025-08-21T12:40:59.25Z", Some(1_755_780_059.25)),
        ("2025-08-21T14:40:59+02:00", Some(1_755_780_059.0)),
        ("2025-08-21T12:40:59", None),
        ("2025-13-21T12:40:59Z", None),
        ("2025-08-21T24:40:59Z", None),
        ("2025-08-21T12:40:59.Z", None),
        ("2025-08-21T12:40:59+2:00", None),
        ("1969-12-31T23:59:59Z", None),
        ("2025-08-2\u{e4}T12:40:59Z", None),
    ] {
        assert_eq!(seconds(text), expected, "{text}");
    }
}

/// Text as it might stand in these headers: its words and signs in any order, with noise.
fn text() -> impl Strategy<Value = String> {
    const PARTS: [&str; 32] = [
        "0",
        "1",
        "7",
        "59",
        "99999999999999999999",
        "2025",
        "-",
        "+",
        ".",
        ":",
        ";",
        ",",
        "=",
        " ",
        "\"",
        "\\",
        "?1",
        ":YQ==:",
        "T",
        "Z",
        "s",
        "ms",
        "h",
        "r",
        "t",
        "default",
        "*",
        "e9",
        "\u{b5}s",
        "\u{e4}",
        "2025-08-21T12:40:59",
        "Thu, 21 Aug 2025 12:40:59 GMT",
    ];
    let part = proptest::sample::select(&PARTS[..]);
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    /// RL-07
    #[test]
    fn no_text_makes_a_parser_panic(text in text()) {
        duration::go(&text);
        date::rfc3339(&text);
        number::count(&text);
        number::seconds(&text);
        structured::list(&text);
        structured::dictionary(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn no_head_stops_a_client_for_longer_than_the_longest_pause(
        status in prop_oneof![Just(200u16), Just(429), Just(503)],
        values in proptest::collection::vec((0usize..14, text()), 0..6),
    ) {
        const NAMES: [&str; 14] = [
            "retry-after", "retry-after-ms", "date", "ratelimit", "ratelimit-policy",
            "ratelimit-remaining", "ratelimit-reset", "x-ratelimit-remaining", "x-ratelimit-reset",
            "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "x-ratelimit-limit",
            "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset",
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.append(HeaderName::from_static(NAMES[name]), value);
            }
        }
        let longest = Duration::from_secs(7);
        let word = ServerWord::default().max_pause(longest);
        let heard = word.hear(StatusCode::from_u16(status).unwrap(), &headers, noon);
        prop_assert!(heard.pause.is_none_or(|pause| pause <= longest && !pause.is_zero()));
        for left in heard.left.into_iter().flatten() {
            prop_assert!(left.within <= longest && left.units > 0);
        }
    }
}
