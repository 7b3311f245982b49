use std::time::Duration;

use http::{HeaderMap, Response};
use standpipe_core::{Body, Origin};

use super::MockBody;
use super::matcher::{header_name, header_value, status_code};

/// A response as plain data: what it has beside the defaults is written in a literal.
///
/// ```
/// use standpipe_test::MockResponse;
///
/// let response = MockResponse {
///     status: 503,
///     headers: [("retry-after", "2")].into(),
///     body: "later".into(),
///     ..Default::default()
/// };
/// # let _ = response;
/// ```
#[derive(Clone, Debug)]
pub struct MockResponse {
    /// The status; 200 by default. One that is no status of HTTP, below 100 or above 999, makes what
    /// it is given to panic.
    pub status: u16,
    /// The headers. None are added to them.
    pub headers: MockHeaders,
    /// The body.
    pub body: MockBody,
    /// The trailers that follow the body.
    pub trailers: MockHeaders,
    /// How long the request waits for the response head, by tokio's clock.
    pub delay: Duration,
}

impl MockResponse {
    /// A response of `status` alone.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// A response with JSON in its body, and the header that says so.
    #[cfg(feature = "json")]
    pub fn json(status: u16, json: serde_json::Value) -> Self {
        Self {
            status,
            headers: [("content-type", "application/json")].into(),
            body: json.into(),
            ..Self::default()
        }
    }

    /// # Panics
    ///
    /// When the status is none.
    #[track_caller]
    pub(super) fn check(&self) {
        status_code(self.status);
    }

    pub(super) fn into_response(self, origin: Option<&Origin>) -> Response<Body> {
        let trailers = Some(self.trailers.0).filter(|trailers| !trailers.is_empty());
        let mut response = Response::new(self.body.into_body(trailers, origin));
        *response.status_mut() = status_code(self.status);
        *response.headers_mut() = self.headers.0;
        response
    }
}

impl Default for MockResponse {
    fn default() -> Self {
        Self {
            status: 200,
            headers: MockHeaders::default(),
            body: MockBody::default(),
            trailers: MockHeaders::default(),
            delay: Duration::ZERO,
        }
    }
}

/// Headers of a [`MockResponse`]: from an array or a slice of names and values, or from a [`HeaderMap`].
///
/// # Panics
///
/// Made of a text that is no name or value of a header, where it is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MockHeaders(HeaderMap);

impl<const N: usize> From<[(&str, &str); N]> for MockHeaders {
    #[track_caller]
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.as_slice().into()
    }
}

impl From<&[(&str, &str)]> for MockHeaders {
    #[track_caller]
    fn from(pairs: &[(&str, &str)]) -> Self {
        let mut headers = HeaderMap::with_capacity(pairs.len());
        for (name, value) in pairs {
            headers.append(header_name(name), header_value(value));
        }
        Self(headers)
    }
}

impl From<HeaderMap> for MockHeaders {
    fn from(headers: HeaderMap) -> Self {
        Self(headers)
    }
}
