use std::fmt;

use bytes::Bytes;
use http::{Extensions, HeaderMap, Method, Uri};
use standpipe_core::Origin;
use tokio::time::Instant;

use super::query;

/// A request as a mock received it, with its body read to the end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MockRequest {
    /// The method.
    pub method: Method,
    /// The URI, as it came: with scheme and host where the client gives them.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Bytes,
    /// The body's trailers, where it had any.
    pub trailers: Option<HeaderMap>,
    /// What travelled in the request's extensions.
    pub extensions: Extensions,
    /// When its body had been read.
    pub at: Instant,
}

impl MockRequest {
    /// The URI's path.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The first value of `name` in the query, decoded; empty where it has no value.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.uri.query().unwrap_or_default();
        let found = query::pairs(query).find(|(found, _)| found == name);
        found.map(|(_, value)| value)
    }

    /// The first value of the header `name`, where it has one that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text; bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// When it is none.
    #[cfg(feature = "json")]
    pub fn json(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The origin that the URI names, where it names one.
    pub fn origin(&self) -> Option<Origin> {
        Origin::of_uri(&self.uri).ok()
    }
}

/// The request line and the size of the body.
impl fmt::Display for MockRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.uri)?;
        match self.body.len() {
            0 => Ok(()),
            1 => f.write_str(" with a body of 1 byte"),
            n => write!(f, " with a body of {n} bytes"),
        }
    }
}
