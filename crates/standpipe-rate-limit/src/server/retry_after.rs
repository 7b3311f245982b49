use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

use super::{date, number};

/// How long the answer asks to wait: `retry-after-ms`, else `Retry-After` in seconds, with or
/// without a fraction, or as an HTTP date. Nothing where it is malformed or over already.
pub(super) fn parse(headers: &HeaderMap, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
    let value = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let wait = match value("retry-after-ms").and_then(number::millis) {
        Some(wait) => wait,
        None => {
            let text = value(header::RETRY_AFTER.as_str())?;
            match number::seconds(text) {
                Some(wait) => wait,
                None => date::until(httpdate::parse_http_date(text).ok()?, now()),
            }
        }
    };
    Some(wait).filter(|wait| !wait.is_zero())
}
