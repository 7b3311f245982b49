use std::time::{SystemTime, UNIX_EPOCH};

use super::*;
use http::HeaderValue;
use proptest::prelude::*;
use standpipe_core::RetryInfo;
use standpipe_retry::{TooLong, parse_retry_after};

/// Mon, 29 Sep 2025 16:26:27 GMT.
fn noon() -> SystemTime {
    UNIX_EPOCH + secs(1_759_163_187)
}

fn parse(headers: &[(&'static str, &str)]) -> Option<Duration> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    parse_retry_after(&map, noon())
}

/// RTY-06, RTY-07, RTY-08: the providers' own tables, and what they leave out.
#[test]
fn a_wait_is_read_by_the_table() {
    for (value, wait) in [
        ("20", Some(secs(20))),
        ("60", Some(secs(60))),
        ("61", Some(secs(61))),
        ("120", Some(secs(120))),
        ("121", Some(secs(121))),
        // The providers' clients compute a wait here; RTY-07 has it as "now".
        ("0", Some(Duration::ZERO)),
        ("-10", None),
        ("inf", None),
        ("nan", None),
        ("", None),
        ("   ", None),
        ("99999999999999999999999999999999999", None),
        ("18446744073709551615", None),
        ("31536000", Some(secs(31_536_000))),
        ("31536001", None),
        ("1.5", Some(millis(1500))),
        ("0.0000000001", Some(Duration::ZERO)),
        (
            "1.9999999999999999999999999999999999999999",
            Some(Duration::from_nanos(1_999_999_999)),
        ),
        (" 5\t", Some(secs(5))),
        ("007", Some(secs(7))),
        ("1.5e3", None),
        ("1e3", None),
        ("+5", None),
        ("0x10", None),
        ("5s", None),
        ("5, 5", None),
        (".5", None),
        ("5.", None),
        ("1.2.3", None),
        ("٣", None),
        // The three forms of a date (RFC 9110, 5.6.7).
        ("Mon, 29 Sep 2025 16:27:27 GMT", Some(secs(60))),
        ("Monday, 29-Sep-25 16:27:27 GMT", Some(secs(60))),
        ("Mon Sep 29 16:27:27 2025", Some(secs(60))),
        ("  Mon, 29 Sep 2025 16:27:27 GMT ", Some(secs(60))),
        ("Fri, 29 Sep 2023 16:26:27 GMT", Some(Duration::ZERO)),
        ("Zun, 29 Sep 2025 16:26:27 GMT", None),
        ("Mon, 29 Sep 100000 16:26:27 GMT", None),
        ("Mon, 29 Sep 9999 16:26:27 GMT", None),
        ("2025-09-29T16:27:27Z", None),
    ] {
        assert_eq!(parse(&[("retry-after", value)]), wait, "{value:?}");
    }
}

/// RTY-08, RTY-11
#[test]
fn milliseconds_go_first_and_a_header_that_is_there_twice_is_none() {
    let (ms, s) = ("retry-after-ms", "retry-after");
    assert_eq!(parse(&[(s, "2"), (ms, "1500")]), Some(millis(1500)));
    assert_eq!(parse(&[(ms, "0.5")]), Some(Duration::from_micros(500)));
    assert_eq!(parse(&[(ms, "nan"), (s, "2")]), Some(secs(2)));
    assert_eq!(parse(&[(ms, "-1"), (s, "2")]), Some(secs(2)));
    assert_eq!(parse(&[(s, "2"), (s, "2")]), None);
    assert_eq!(parse(&[(ms, "1"), (ms, "2"), (s, "3")]), Some(secs(3)));
    assert_eq!(parse(&[]), None);
}

proptest! {
    // Two inputs each.
    #![proptest_config(ProptestConfig::with_cases(50_000))]

    #[test]
    fn no_value_panics_and_no_wait_is_longer_than_a_year(
        seconds in value(),
        millis in value(),
        now in any::<u32>(),
    ) {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", seconds);
        headers.insert("retry-after-ms", millis);
        let wait = parse_retry_after(&headers, UNIX_EPOCH + secs(now.into()));
        prop_assert!(wait.is_none_or(|wait| wait <= secs(365 * 24 * 3600)));
    }
}

/// Anything a header can hold, what nearly is a number, and what nearly is a date.
fn value() -> impl Strategy<Value = HeaderValue> {
    const NEARLY: &[u8] = b"0123456789999999..-+e infa\t";
    const DATES: [&str; 3] = [
        "Mon, 29 Sep 2025 16:27:27 GMT",
        "Monday, 29-Sep-25 16:27:27 GMT",
        "Mon Sep 29 16:27:27 2025",
    ];
    let number = prop::collection::vec(prop::sample::select(NEARLY), 0..24);
    let date =
        (0..3usize, 0..32usize, any::<u8>(), 0..32usize).prop_map(|(form, at, byte, end)| {
            let mut date = DATES[form].as_bytes().to_vec();
            let length = date.len();
            date[at % length] = byte;
            date.truncate(end.max(20));
            date
        });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..24), number, date]
        .prop_map(|bytes| HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static("")))
}

/// RTY-06
#[tokio::test(start_paused = true)]
async fn what_the_server_asks_for_stands_in_place_of_the_backoff() {
    for (headers, wait) in [
        (&[("retry-after", "60")][..], secs(60)),
        (&[("retry-after", "120")], secs(120)),
        (
            &[("retry-after-ms", "250"), ("retry-after", "9")],
            millis(250),
        ),
        (
            &[("retry-after", "Mon, 29 Sep 2025 16:27:07 GMT")],
            secs(40),
        ),
        (&[("retry-after", "-10")], secs(1)),
    ] {
        let script = Script::new([with_headers(429, headers), status_of(200)]);
        let layer = RetryLayer::new(plain()).wall_clock(noon);
        assert_eq!(status(&send(&layer, &script, post()).await), 200);
        assert_eq!(script.waits(), [wait], "{headers:?}");
    }
}

/// RTY-07
#[tokio::test(start_paused = true)]
async fn now_is_now_with_a_little_jitter() {
    for value in [
        &[("retry-after", "0")],
        &[("retry-after", "Fri, 29 Sep 2023 16:26:27 GMT")],
    ] {
        let script = Script::new([with_headers(503, value), status_of(200)]);
        let layer = RetryLayer::new(RetryPolicy::new()).wall_clock(noon).seed(7);
        send(&layer, &script, get()).await.unwrap();
        let wait = script.waits()[0];
        assert!(wait > Duration::ZERO && wait <= millis(101), "{wait:?}");
    }
}

/// RTY-09
#[tokio::test(start_paused = true)]
async fn a_wait_longer_than_allowed_gives_the_answer_at_once_or_is_cut() {
    let script = Script::new([with_headers(429, &[("retry-after", "121")]), status_of(200)]);
    let begun = Instant::now();
    let response = send(&RetryLayer::new(plain()), &script, get())
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), begun.elapsed()),
        (429, Duration::ZERO)
    );
    assert_eq!(response.headers()["retry-after"], "121");
    let info = response.extensions().get::<RetryInfo>();
    assert_eq!(info, Some(&RetryInfo::new(1, Duration::ZERO).given_up()));
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "429"
    );

    let script = Script::new([with_headers(429, &[("retry-after", "121")]), status_of(200)]);
    let layer = RetryLayer::new(plain().too_long(TooLong::Clamp));
    assert_eq!(status(&send(&layer, &script, get()).await), 200);
    assert_eq!(script.waits(), [secs(120)]);
}
