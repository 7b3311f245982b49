//! How long a server asks to wait: a pure reading of headers.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, header::RETRY_AFTER};

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// No server means a longer wait than this; whoever says so has made a mistake.
const ABSURD: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The wait that `headers` ask for at the wall-clock time `now`; `None` where they ask for none, or
/// for nothing that makes sense.
///
/// `retry-after-ms`, as some APIs send it, goes before `Retry-After` (RFC 9110, 10.2.3), which is a
/// number of seconds or a date in any of HTTP's three forms. Either number may have a fraction, and
/// spaces around it. A date that has passed is a wait of zero. Ignored are signs, exponents, `inf`
/// and `nan`, waits of more than a year, and a header that is there more than once.
///
/// ```
/// use http::{HeaderMap, header::RETRY_AFTER};
/// use standpipe_retry::parse_retry_after;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let mut headers = HeaderMap::new();
/// headers.insert(RETRY_AFTER, "Thu, 01 Jan 1970 00:01:00 GMT".parse().unwrap());
/// assert_eq!(parse_retry_after(&headers, UNIX_EPOCH), Some(Duration::from_secs(60)));
/// ```
pub fn parse_retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let millis = only(headers, &RETRY_AFTER_MS).and_then(|text| parse_number(text, 1000));
    millis.or_else(|| {
        let text = only(headers, &RETRY_AFTER)?;
        parse_number(text, 1).or_else(|| parse_date(text, now))
    })
}

/// The value of a header that is there once, without the spaces around it.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    Some(value.to_str().ok()?.trim_matches([' ', '\t']))
}

/// Digits, perhaps with a fraction, counted in units of which a second has `per_second`.
fn parse_number(text: &str, per_second: u32) -> Option<Duration> {
    const NANOS_PER_SECOND: u64 = 1_000_000_000;
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (digits(whole)?, digits(fraction)?),
        None => (digits(text)?, ""),
    };
    let unit = NANOS_PER_SECOND / u64::from(per_second);
    let whole: u64 = whole.parse().ok()?;
    let (mut nanos, mut place) = (u128::from(whole) * u128::from(unit), unit);
    for digit in fraction.bytes() {
        place /= 10;
        nanos += u128::from(digit - b'0') * u128::from(place);
    }
    let wait = Duration::from_nanos(u64::try_from(nanos).ok()?);
    (wait <= ABSURD).then_some(wait)
}

fn digits(text: &str) -> Option<&str> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then_some(text)
}

fn parse_date(text: &str, now: SystemTime) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    let wait = date.duration_since(now).unwrap_or(Duration::ZERO);
    (wait <= ABSURD).then_some(wait)
}
