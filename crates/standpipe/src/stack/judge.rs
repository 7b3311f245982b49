use std::time::{Duration, SystemTime};

use http::{Response, StatusCode};
use standpipe_circuit_breaker::RetryAfter;
use standpipe_retry::parse_retry_after;

/// How long a circuit stays open where a 503 says it: `Retry-After` in all the forms that a retry
/// knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyRetryAfter;

impl<B> RetryAfter<Response<B>> for AnyRetryAfter {
    fn retry_after(&self, response: &Response<B>) -> Option<Duration> {
        if response.status() != StatusCode::SERVICE_UNAVAILABLE {
            return None;
        }
        parse_retry_after(response.headers(), SystemTime::now())
    }
}
