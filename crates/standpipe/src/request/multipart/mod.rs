//! `multipart/form-data` (RFC 7578): a form of fields and files, sent as it is read.
//!
//! ```
//! # async fn run(pool: standpipe::Pool) -> Result<(), standpipe::Error> {
//! use standpipe::multipart::{Form, Part};
//!
//! let form = Form::new()
//!     .text("purpose", "batch")
//!     .part("file", Part::bytes("{}\n").file_name("requests.jsonl").content_type("application/jsonl"));
//! pool.post("https://example.com/files").multipart(form).send().await?;
//! # Ok(()) }
//! ```

mod boundary;
mod encode;
mod part;
#[cfg(test)]
mod tests;

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use standpipe_core::{Body, Error};

use super::{RequestBuilder, set_body};

use boundary::Boundary;
use encode::{Encoded, Section};
pub use part::Part;

/// A form to send with [`RequestBuilder::multipart`](crate::RequestBuilder::multipart).
///
/// Its parts are sent in the order in which they were added, each read as the connection takes it. A
/// retry can send the form again where it can send each part again: all but those of a
/// [`stream`](Part::stream). Its length is known beforehand where each part's is.
#[derive(Debug)]
#[must_use = "a form is sent by `multipart`"]
pub struct Form {
    boundary: Boundary,
    parts: Vec<(String, Part)>,
}

impl Default for Form {
    fn default() -> Self {
        Self::new()
    }
}

impl Form {
    /// A form without parts, and with a boundary that no one can guess.
    pub fn new() -> Self {
        Self {
            boundary: Boundary::random(),
            parts: Vec::new(),
        }
    }

    /// Adds a field of text.
    pub fn text(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.part(name, Part::text(value))
    }

    /// Adds a part; a name may come several times.
    pub fn part(mut self, name: impl Into<String>, part: Part) -> Self {
        self.parts.push((name.into(), part));
        self
    }

    /// The line between the parts, without its dashes.
    pub fn boundary(&self) -> &str {
        self.boundary.as_str()
    }

    /// The content type that goes with the body, which names the boundary.
    pub fn content_type(&self) -> HeaderValue {
        let value = format!("multipart/form-data; boundary={}", self.boundary.as_str());
        match HeaderValue::try_from(value) {
            Ok(value) => value,
            Err(_) => unreachable!("a boundary is of letters and digits"),
        }
    }

    /// The form as a body, for a request that is made elsewhere.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for the first part with a content type that
    /// is no header value.
    pub fn into_body(self) -> Result<Body, Error> {
        let mut sections = Vec::with_capacity(self.parts.len());
        for (name, part) in self.parts {
            sections.push(Section::new(&self.boundary, &name, part)?);
        }
        Ok(Encoded::new(&self.boundary, sections).into_body())
    }
}

/// Its body, from a form.
impl RequestBuilder {
    /// Sets the body to `form` as `multipart/form-data`, and the content type, which names the boundary
    /// and so replaces one that is set.
    pub fn multipart(self, form: Form) -> Self {
        self.with(|request| {
            let content_type = form.content_type();
            request.headers_mut().insert(CONTENT_TYPE, content_type);
            set_body(request, form.into_body()?);
            Ok(())
        })
    }
}
