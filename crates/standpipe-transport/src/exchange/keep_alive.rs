//! How long a server lets its connection idle, as it says itself.

use std::time::Duration;

use http::HeaderMap;

use crate::conn::ConnMeta;

/// What the answer takes to get here, and our next request to get there.
const MARGIN: Duration = Duration::from_secs(2);

/// Tells a connection what the head of its first answer says of idling.
#[cold]
pub(super) fn learn(meta: &ConnMeta, headers: &HeaderMap) {
    match idle_timeout(headers) {
        Some(Duration::ZERO) => meta.retire(),
        Some(timeout) => meta.hint_idle(timeout),
        None => {}
    }
}

/// How long an HTTP/1.1 connection may idle by its server's `Keep-Alive: timeout=N` (a header of
/// RFC 2068, 19.7.1, that servers still send): two seconds less than `N`, half of it where that is
/// less than four seconds.
fn idle_timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("keep-alive")?.to_str().ok()?;
    let timeout = value.split(',').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        let is_timeout = name.trim().eq_ignore_ascii_case("timeout");
        is_timeout.then(|| value.trim().trim_matches('"'))
    })?;
    if !timeout.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let timeout = Duration::from_secs(timeout.parse().ok()?);
    Some(
        timeout
            .saturating_sub(MARGIN)
            .max(timeout.min(2 * MARGIN) / 2),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Option<u128> {
        let mut headers = HeaderMap::new();
        headers.insert("keep-alive", value.parse().unwrap());
        idle_timeout(&headers).map(|timeout| timeout.as_millis())
    }

    #[test]
    fn the_margin_is_two_seconds_and_half_of_little() {
        for (value, expected) in [
            ("timeout=5", 3_000),
            ("timeout=5, max=100", 3_000),
            ("max=100 , Timeout = 60", 58_000),
            ("timeout=\"5\"", 3_000),
            ("timeout=4", 2_000),
            ("timeout=3", 1_500),
            ("timeout=1", 500),
            ("timeout=0", 0),
        ] {
            assert_eq!(of(value), Some(expected), "{value}");
        }
    }

    #[test]
    fn what_is_no_number_of_seconds_says_nothing() {
        for value in [
            "",
            "timeout",
            "timeout=",
            "timeout=-5",
            "timeout=+5",
            "timeout=5s",
            "max=5",
            "timeout=99999999999999999999",
        ] {
            assert_eq!(of(value), None, "{value}");
        }
        assert_eq!(idle_timeout(&HeaderMap::new()), None);
        assert!(of("timeout=18446744073709551615").is_some());
    }
}
