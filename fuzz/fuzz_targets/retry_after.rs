//! Any two header values, as `Retry-After` and `retry-after-ms`, at any time of day.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fuzz_target!(|input: (u32, &[u8], &[u8])| {
    let (now, seconds, millis) = input;
    let mut headers = HeaderMap::new();
    for (name, value) in [("retry-after", seconds), ("retry-after-ms", millis)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let now = UNIX_EPOCH + Duration::from_secs(now.into());
    let wait = standpipe_retry::parse_retry_after(&headers, now);
    assert!(wait.is_none_or(|wait| wait <= YEAR));
});
