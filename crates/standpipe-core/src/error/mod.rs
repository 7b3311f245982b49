//! The one error of all layers.

mod kind;
mod predicates;
mod retry_info;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use kind::ErrorKind;
pub use retry_info::RetryInfo;

use crate::Origin;

/// Any error, boxed: what every layer's `Service::Error` is.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// How far a request came, as far as its sending matters for sending it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestSent {
    /// Surely no peer acted on it: it was not sent, or the peer said that it left it alone.
    No,
    /// It may have been sent and acted on.
    #[default]
    Maybe,
    /// The peer surely has it: a byte of an answer arrived.
    Yes,
}

/// The part of a request's life in which it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Before anything was done: the request was checked.
    Check,
    /// Waiting to be admitted by a limit.
    Admit,
    /// Waiting for a connection.
    Acquire,
    /// Opening a connection.
    Dial,
    /// Sending the request and waiting for the response head.
    Exchange,
    /// Reading the response body.
    Body,
}

/// Why a request failed.
///
/// One type serves all layers. Inside a tower stack it travels as [`BoxError`];
/// [`find`](Error::find) gets it back out. The message never holds a header value, a body, or the
/// userinfo or query of a URL.
///
/// # Clone
///
/// A clone shares the source.
#[derive(Clone)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    phase: Option<Phase>,
    origin: Option<Origin>,
    url: Option<Box<str>>,
    request_sent: RequestSent,
    resend: bool,
    retry: RetryInfo,
    retry_after: Option<Duration>,
    message: Option<Box<str>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that knows no more.
    pub fn new(kind: ErrorKind) -> Self {
        let sent = if kind.is_local() || kind.is_connect() {
            RequestSent::No
        } else {
            RequestSent::Maybe
        };
        Self {
            inner: Box::new(Inner {
                kind,
                phase: None,
                origin: None,
                url: None,
                request_sent: sent,
                resend: false,
                retry: RetryInfo::default(),
                retry_after: None,
                message: None,
                source: None,
            }),
        }
    }

    /// The same with the error that caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.inner.source = Some(Arc::from(source.into()));
        self
    }

    /// The same with a sentence that says more than the kind does. It must hold no secret.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.inner.message = Some(message.into().into_boxed_str());
        self
    }

    /// The same with the phase in which it happened.
    #[must_use]
    pub fn with_phase(mut self, phase: Phase) -> Self {
        self.inner.phase = Some(phase);
        self
    }

    /// The same with the origin that the request was for.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.inner.origin = Some(origin);
        self
    }

    /// The same with the URL of the request, of which scheme, host, port and path are kept: a query,
    /// and userinfo, may hold a secret. A path that does is one that should not have it.
    ///
    /// Where the URL is known it stands in the message in place of the origin.
    #[must_use]
    pub fn with_url(mut self, url: &http::Uri) -> Self {
        self.inner.url = redacted(url);
        self
    }

    /// The same with what is known of the request's sending.
    #[must_use]
    pub fn with_request_sent(mut self, sent: RequestSent) -> Self {
        self.inner.request_sent = sent;
        self
    }

    /// The same with the number of attempts made.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.inner.retry.attempts = attempts;
        self
    }

    /// The same with what the retry that counted the attempts knows of them.
    #[must_use]
    pub fn with_retry_info(mut self, info: RetryInfo) -> Self {
        self.inner.retry = info;
        self
    }

    /// The same with the time after which trying again makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.inner.retry_after = Some(wait);
        self
    }

    /// The same, marked as lost through no fault of the request or of the origin's health: the
    /// peer refused the stream unread, or a reused connection ended before a byte of an answer.
    #[must_use]
    pub fn with_resend(mut self) -> Self {
        self.inner.resend = true;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// In which part of the request's life, where known.
    pub fn phase(&self) -> Option<Phase> {
        self.inner.phase
    }

    /// The origin that the request was for, where known.
    pub fn origin(&self) -> Option<&Origin> {
        self.inner.origin.as_ref()
    }

    /// The URL of the request without its query, where known.
    pub fn url(&self) -> Option<&str> {
        self.inner.url.as_deref()
    }

    /// Whether the peer may have acted on the request. `No` and `Yes` are never wrong.
    pub fn request_sent(&self) -> RequestSent {
        self.inner.request_sent
    }

    /// Whether sending the request again on another connection is what this error calls for: a
    /// layer that kept a copy may do so at once, without backoff and without charge to a budget,
    /// for any method when [`request_sent`](Error::request_sent) is `No` and for idempotent ones
    /// when it is `Maybe`.
    pub fn calls_for_resend(&self) -> bool {
        self.inner.resend
    }

    /// How many attempts were made; zero where nothing counted them.
    pub fn attempts(&self) -> u32 {
        self.inner.retry.attempts
    }

    /// How many attempts were made and how long was waited between them; `None` where nothing
    /// counted them.
    pub fn retry_info(&self) -> Option<RetryInfo> {
        (self.inner.retry.attempts > 0).then_some(self.inner.retry)
    }

    /// The time after which trying again makes sense, where known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.retry_after
    }

    /// The status, when the error is one.
    pub fn status(&self) -> Option<http::StatusCode> {
        match self.inner.kind {
            ErrorKind::Status(status) => Some(status),
            _ => None,
        }
    }

    /// The [`Error`] in `error` or in the chain of its sources.
    pub fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }

    /// Takes the [`Error`] out of `error`; an error of another type becomes one of kind
    /// [`Other`](ErrorKind::Other) with it as the source, or of the kind found among its sources.
    pub fn from_boxed(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(foreign) => match Self::find(foreign.as_ref()) {
                Some(found) => found.clone(),
                None => Self::new(ErrorKind::Other).with_source(foreign),
            },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.kind.describe(f)?;
        if let Some(message) = &self.inner.message {
            write!(f, ": {message}")?;
        }
        match (&self.inner.url, &self.inner.origin) {
            (Some(url), _) => write!(f, " ({url})")?,
            (None, Some(origin)) => write!(f, " ({origin})")?,
            (None, None) => {}
        }
        if self.inner.retry.attempts > 1 {
            write!(f, " after {} attempts", self.inner.retry.attempts)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.inner;
        let mut out = f.debug_struct("Error");
        out.field("kind", &inner.kind);
        out.field("request_sent", &inner.request_sent);
        if let Some(phase) = &inner.phase {
            out.field("phase", phase);
        }
        if let Some(origin) = &inner.origin {
            out.field("origin", origin);
        }
        if let Some(url) = &inner.url {
            out.field("url", url);
        }
        if inner.retry.attempts > 0 {
            out.field("retry", &inner.retry);
        }
        if let Some(wait) = &inner.retry_after {
            out.field("retry_after", wait);
        }
        if let Some(message) = &inner.message {
            out.field("message", message);
        }
        if let Some(source) = &inner.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

/// None where the URL has no origin: then it is not one that was sent to.
fn redacted(url: &http::Uri) -> Option<Box<str>> {
    let origin = Origin::of_uri(url).ok()?;
    Some(format!("{origin}{}", url.path()).into_boxed_str())
}
