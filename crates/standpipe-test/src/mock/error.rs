use std::error::Error as StdError;
use std::fmt;

use super::MockRequest;

/// The source of the error that a request gets which no expectation of a mock matches.
///
/// It shows what the mock had, which of it came nearest, and why that did not match.
#[derive(Clone)]
#[non_exhaustive]
pub struct UnmatchedRequest {
    /// The request.
    pub request: MockRequest,
    /// The expectation that it came nearest to; `None` where there was none at all.
    pub nearest: Option<Nearest>,
    /// All expectations, each as a line of text.
    pub expectations: Vec<String>,
}

/// An expectation that a request did not meet by a little.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nearest {
    /// What it asked for, and where it was set up.
    pub expectation: String,
    /// In what the request was not as it asked, the most important first.
    pub reasons: Vec<String>,
}

impl UnmatchedRequest {
    /// The request, and the nearest expectation, in a line.
    pub(super) fn summary(&self) -> String {
        let request = &self.request;
        match &self.nearest {
            None => format!("the mock expects nothing, and got {request}"),
            Some(nearest) => format!("the mock has no answer to {request}; {nearest}"),
        }
    }
}

/// As the display.
impl fmt::Debug for UnmatchedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for UnmatchedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())?;
        if !self.expectations.is_empty() {
            f.write_str("\nthere were:")?;
        }
        for expectation in &self.expectations {
            write!(f, "\n  {expectation}")?;
        }
        Ok(())
    }
}

impl StdError for UnmatchedRequest {}

impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = self.reasons.join(", ");
        write!(f, "nearest is {}, but {why}", self.expectation)
    }
}
