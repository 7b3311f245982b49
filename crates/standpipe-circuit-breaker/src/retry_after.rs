use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Response, StatusCode};

/// Finds in a failed response how long the service asks to be left alone; a breaker that the
/// failure opens stays open for that long.
///
/// Any `Fn(&Res) -> Option<Duration>` is one.
pub trait RetryAfter<Res> {
    /// The time from now, where the response says one.
    fn retry_after(&self, response: &Res) -> Option<Duration>;
}

impl<Res, F> RetryAfter<Res> for F
where
    F: Fn(&Res) -> Option<Duration>,
{
    fn retry_after(&self, response: &Res) -> Option<Duration> {
        self(response)
    }
}

/// `Retry-After` of a 503 in whole seconds (RFC 9110, 10.2.3). A date is not read; who needs it gives
/// [`CircuitBreakerLayer::retry_after`](crate::CircuitBreakerLayer::retry_after) a function that does.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpRetryAfter;

impl<B> RetryAfter<Response<B>> for HttpRetryAfter {
    fn retry_after(&self, response: &Response<B>) -> Option<Duration> {
        if response.status() != StatusCode::SERVICE_UNAVAILABLE {
            return None;
        }
        let mut values = response.headers().get_all(RETRY_AFTER).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        seconds(value.to_str().ok()?.trim())
    }
}

/// Digits alone: `u64::from_str` would take a sign. More than it holds is as long as can be.
fn seconds(text: &str) -> Option<Duration> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

/// No response says how long to wait.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRetryAfter;

impl<Res> RetryAfter<Res> for NoRetryAfter {
    fn retry_after(&self, _: &Res) -> Option<Duration> {
        None
    }
}
