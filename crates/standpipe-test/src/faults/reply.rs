use bytes::Bytes;

use super::bomb;
use super::content::Content;

/// A whole answer, as plain as it stands on the wire.
///
/// A `Content-Length` is added, unless it is set here or the status forbids it. Nothing else is, and
/// nothing is checked: a field may be as wrong as the test wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Content,
}

impl Reply {
    /// An answer without a body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Content::default(),
        }
    }

    /// A 302 that leads to `location`. Given to all requests, as by
    /// [`FaultServerBuilder::reply`](super::FaultServerBuilder::reply), it is a loop.
    pub fn redirect(location: &str) -> Self {
        Self::new(302).header("location", location)
    }

    /// A 200 whose body is a gzip file of `bytes` zeros. It is a thousandth of that on the wire, and
    /// takes no memory here.
    pub fn decompression_bomb(bytes: u64) -> Self {
        Self {
            body: bomb::gzip_of_zeros(bytes),
            ..Self::new(200).header("content-encoding", "gzip")
        }
    }

    /// Adds a field. Names of HTTP/2 are lower-case.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Content::default();
        self.body.push(body);
        self
    }

    /// Whether its body may be announced by a length (RFC 9110, 8.6).
    pub(super) fn may_have_length(&self) -> bool {
        let set = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-length");
        !matches!(self.status, 100..=199 | 204 | 304) && !self.headers.iter().any(set)
    }
}

/// An empty 200.
impl Default for Reply {
    fn default() -> Self {
        Self::new(200)
    }
}
