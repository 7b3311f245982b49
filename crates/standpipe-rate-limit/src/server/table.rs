//! What the servers that people call say, as a table.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{Heard, Left, ServerWord, date};
use crate::Unit;

pub(super) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// The wall clock of all rows: 1,755,780,000 seconds after 1970.
pub(super) fn noon() -> SystemTime {
    date::rfc3339("2025-08-21T12:40:00Z").unwrap()
}

pub(super) fn hear(status: u16, pairs: &[(&str, &str)]) -> Heard {
    let word = ServerWord::default();
    let status = StatusCode::from_u16(status).unwrap();
    word.hear(status, &headers(pairs), noon)
}

/// What a row expects.
enum Says {
    Nothing,
    Pause(u64),
    Requests(u64, u64),
    Tokens(u64, u64),
}

use Says::{Nothing, Pause, Requests, Tokens};

fn expected(says: &Says) -> Heard {
    let left = |units, millis| {
        Some(Left {
            units,
            within: Duration::from_millis(millis),
        })
    };
    let mut heard = Heard::default();
    match *says {
        Nothing => {}
        Pause(millis) => heard.pause = Some(Duration::from_millis(millis)),
        Requests(units, millis) => heard.left[Unit::Request as usize] = left(units, millis),
        Tokens(units, millis) => heard.left[Unit::Cost as usize] = left(units, millis),
    }
    heard
}

type Row = (u16, &'static [(&'static str, &'static str)], Says);

/// RL-07
#[test]
fn the_formats_of_the_providers() {
    let longest = 60_000;
    let rows: &[Row] = &[
        // Retry-After: RFC 9110, 10.2.3, and what is seen of it.
        (429, &[("retry-after", "20")], Pause(20_000)),
        (503, &[("retry-after", "1.5")], Pause(1_500)),
        (200, &[("retry-after", "20")], Nothing),
        (301, &[("retry-after", "20")], Nothing),
        (429, &[("retry-after", "0")], Nothing),
        (429, &[("retry-after", "-10")], Nothing),
        (429, &[("retry-after", "inf")], Nothing),
        (429, &[("retry-after", "nan")], Nothing),
        (429, &[("retry-after", "1e9")], Nothing),
        (429, &[("retry-after", "")], Nothing),
        (429, &[("retry-after", "60")], Pause(longest)),
        (429, &[("retry-after", "61")], Pause(longest)),
        (
            429,
            &[("retry-after", "99999999999999999999999999999999999")],
            Pause(longest),
        ),
        (
            429,
            &[("retry-after", "Thu, 21 Aug 2025 12:40:07 GMT")],
            Pause(7_000),
        ),
        (
            429,
            &[("retry-after", "Thursday, 21-Aug-25 12:40:07 GMT")],
            Pause(7_000),
        ),
        (
            429,
            &[("retry-after", "Thu Aug 21 12:40:07 2025")],
            Pause(7_000),
        ),
        (
            429,
            &[("retry-after", "Thu, 21 Aug 2025 12:39:59 GMT")],
            Nothing,
        ),
        (
            429,
            &[("retry-after", "Zun, 29 Sep 2015 12:40:07 GMT")],
            Nothing,
        ),
        (
            429,
            &[("retry-after-ms", "250"), ("retry-after", "9")],
            Pause(250),
        ),
        (
            429,
            &[("retry-after-ms", "soon"), ("retry-after", "9")],
            Pause(9_000),
        ),
        // The server's own clock goes before ours.
        (
            429,
            &[
                ("date", "Thu, 21 Aug 2025 13:00:00 GMT"),
                ("retry-after", "Thu, 21 Aug 2025 13:00:05 GMT"),
            ],
            Pause(5_000),
        ),
        // It goes before all other words.
        (
            429,
            &[("retry-after", "2"), ("ratelimit", r#""default";r=0;t=30"#)],
            Pause(2_000),
        ),
        // draft-ietf-httpapi-ratelimit-headers-11
        (
            200,
            &[("ratelimit", r#""default";r=50;t=30"#)],
            Requests(50, 30_000),
        ),
        (
            200,
            &[("ratelimit", r#""default";r=0;t=30"#)],
            Pause(30_000),
        ),
        (200, &[("ratelimit", r#""default";r=50"#)], Nothing),
        (200, &[("ratelimit", r#""default";r=-1;t=30"#)], Nothing),
        (200, &[("ratelimit", r#""default";r=50;t=0"#)], Nothing),
        (
            200,
            &[("ratelimit", r#""burst";r=90;t=60,"daily";r=2;t=40"#)],
            Requests(2, 40_000),
        ),
        (
            200,
            &[
                ("ratelimit", r#""burst";r=90;t=60"#),
                ("ratelimit", r#""daily";r=2;t=40"#),
            ],
            Requests(2, 40_000),
        ),
        (
            200,
            &[
                ("ratelimit", r#""burst";r=5"#),
                (
                    "ratelimit-policy",
                    r#""burst";q=100;w=50,"daily";q=1000;w=86400"#,
                ),
            ],
            Requests(5, 50_000),
        ),
        (
            200,
            &[
                ("ratelimit", r#""peruser";r=5;t=10;pk=:cHNsLWV4YW1wbGU=:"#),
                (
                    "ratelimit-policy",
                    r#""peruser";q=65535;qu="content-bytes";w=10"#,
                ),
            ],
            Nothing,
        ),
        (
            200,
            &[("ratelimit", r#""default";r=50;t=99999"#)],
            Requests(50, longest),
        ),
        (200, &[("ratelimit", r#""default";r=50;t=30,"#)], Nothing),
        (200, &[("ratelimit", r#""default;r=50;t=30"#)], Nothing),
        (
            200,
            &[("ratelimit", r#""default";r=1234567890123456;t=30"#)],
            Nothing,
        ),
        // Its early versions.
        (
            200,
            &[("ratelimit", "limit=100, remaining=50, reset=30")],
            Requests(50, 30_000),
        ),
        (
            200,
            &[
                ("ratelimit-limit", "100, 100;w=60"),
                ("ratelimit-remaining", "7"),
                ("ratelimit-reset", "9"),
            ],
            Requests(7, 9_000),
        ),
        // OpenAI: durations as Go prints them.
        (
            200,
            &[
                ("x-ratelimit-limit-requests", "60"),
                ("x-ratelimit-remaining-requests", "59"),
                ("x-ratelimit-reset-requests", "1s"),
            ],
            Requests(59, 1_000),
        ),
        (
            200,
            &[
                ("x-ratelimit-remaining-tokens", "149984"),
                ("x-ratelimit-reset-tokens", "12ms"),
            ],
            Tokens(149_984, 12),
        ),
        (
            200,
            &[
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "6m0s"),
            ],
            Pause(longest),
        ),
        (
            429,
            &[
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "20.5s"),
            ],
            Pause(20_500),
        ),
        (
            200,
            &[
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "1m2.5s"),
            ],
            Pause(longest),
        ),
        // Azure says -1 and 0 where it does not know.
        (
            200,
            &[
                ("x-ratelimit-limit-requests", "-1"),
                ("x-ratelimit-remaining-requests", "-1"),
                ("x-ratelimit-reset-requests", "0"),
            ],
            Nothing,
        ),
        (
            200,
            &[
                ("x-ratelimit-limit-requests", "0"),
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "10"),
            ],
            Nothing,
        ),
        (
            200,
            &[
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "0"),
            ],
            Nothing,
        ),
        (
            200,
            &[
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "-1"),
            ],
            Nothing,
        ),
        (200, &[("x-ratelimit-remaining-requests", "0")], Nothing),
        (200, &[("x-ratelimit-reset-requests", "10")], Nothing),
        (
            200,
            &[
                ("x-ratelimit-remaining-requests", "many"),
                ("x-ratelimit-reset-requests", "10"),
            ],
            Nothing,
        ),
        (
            200,
            &[
                ("x-ratelimit-remaining-images", "0"),
                ("x-ratelimit-reset-images", "10"),
            ],
            Nothing,
        ),
        // GitHub and others: seconds, or seconds or milliseconds since 1970.
        (
            200,
            &[("x-ratelimit-remaining", "3"), ("x-ratelimit-reset", "30")],
            Requests(3, 30_000),
        ),
        (
            200,
            &[("x-ratelimit-remaining", "3"), ("x-ratelimit-reset", "0.5")],
            Requests(3, 500),
        ),
        (
            200,
            &[
                ("x-ratelimit-remaining", "3"),
                ("x-ratelimit-reset", "1755780030"),
            ],
            Requests(3, 30_000),
        ),
        (
            200,
            &[
                ("x-ratelimit-remaining", "3"),
                ("x-ratelimit-reset", "1755780030250"),
            ],
            Requests(3, 30_250),
        ),
        (
            200,
            &[
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "1755779999"),
            ],
            Nothing,
        ),
        // Anthropic: instants.
        (
            200,
            &[
                ("anthropic-ratelimit-requests-limit", "50"),
                ("anthropic-ratelimit-requests-remaining", "49"),
                ("anthropic-ratelimit-requests-reset", "2025-08-21T12:40:59Z"),
            ],
            Requests(49, 59_000),
        ),
        (
            200,
            &[
                ("anthropic-ratelimit-input-tokens-remaining", "10000"),
                (
                    "anthropic-ratelimit-input-tokens-reset",
                    "2025-08-21T12:40:30Z",
                ),
                ("anthropic-ratelimit-output-tokens-remaining", "2000"),
                (
                    "anthropic-ratelimit-output-tokens-reset",
                    "2025-08-21T12:40:30.500Z",
                ),
                ("anthropic-ratelimit-tokens-remaining", "12000"),
                (
                    "anthropic-ratelimit-tokens-reset",
                    "2025-08-21T14:40:30+02:00",
                ),
            ],
            Tokens(2_000, 30_500),
        ),
        (
            429,
            &[
                ("anthropic-ratelimit-requests-remaining", "0"),
                ("anthropic-ratelimit-requests-reset", "2025-08-21T12:40:02Z"),
            ],
            Pause(2_000),
        ),
        // It may be past already.
        (
            200,
            &[
                ("anthropic-ratelimit-requests-remaining", "0"),
                ("anthropic-ratelimit-requests-reset", "2025-08-21T12:39:59Z"),
            ],
            Nothing,
        ),
        (529, &[("retry-after", "5")], Nothing),
        (
            200,
            &[
                ("content-type", "text/plain"),
                ("x-request-id", "1"),
                ("age", "3"),
            ],
            Nothing,
        ),
    ];
    for (status, pairs, says) in rows {
        assert_eq!(hear(*status, pairs), expected(says), "{status} {pairs:?}");
    }
}
