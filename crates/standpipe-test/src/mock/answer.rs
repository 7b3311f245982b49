use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use standpipe_core::{Body, BoxError, Error, ErrorKind, Origin};

use super::MockResponse;

/// What becomes of a request: a [`MockResponse`], an [`Error`] or one of a kind, what the test's own
/// code makes, or nothing.
///
/// ```
/// use std::time::Duration;
/// use standpipe_core::ErrorKind;
/// use standpipe_test::mock::{MockAnswer, MockResponse};
///
/// let mut answers: Vec<MockAnswer> = vec![MockResponse::new(200).into()];
/// answers.push(MockAnswer::from(ErrorKind::ConnectTimeout).after(Duration::from_secs(5)));
/// answers.push(MockAnswer::from_fn(|| Err("an error of another type".into())));
/// answers.push(MockAnswer::hang());
/// ```
#[derive(Clone)]
pub struct MockAnswer {
    delay: Duration,
    what: What,
}

#[derive(Clone)]
enum What {
    Respond(Box<MockResponse>),
    Fail(Error),
    FailBy(ErrorKind),
    Make(Arc<Make>),
    Hang,
}

type Make = dyn Fn() -> Answer + Send + Sync;

/// What a mock answers with.
pub(super) type Answer = Result<Response<Body>, BoxError>;

impl MockAnswer {
    /// What `make` makes anew for each request: a response with a body of the test's own, or an error
    /// of another type than [`Error`].
    pub fn from_fn(
        make: impl Fn() -> Result<Response<Body>, BoxError> + Send + Sync + 'static,
    ) -> Self {
        Self::of(Duration::ZERO, What::Make(Arc::new(make)))
    }

    /// No answer, ever.
    pub fn hang() -> Self {
        Self::of(Duration::ZERO, What::Hang)
    }

    /// The same, `delay` later, by tokio's clock.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = self.delay.saturating_add(delay);
        self
    }

    fn of(delay: Duration, what: What) -> Self {
        Self { delay, what }
    }

    #[track_caller]
    pub(super) fn check(&self) {
        if let What::Respond(response) = &self.what {
            response.check();
        }
    }

    pub(super) fn delay(&self) -> Duration {
        self.delay
    }

    /// `None` where there is to be no answer.
    pub(super) fn give(self, origin: Option<&Origin>) -> Option<Answer> {
        match self.what {
            What::Respond(response) => Some(Ok(response.into_response(origin))),
            What::Fail(error) => Some(Err(error.into())),
            What::FailBy(kind) => Some(Err(of_origin(Error::new(kind), origin).into())),
            What::Make(make) => Some(make()),
            What::Hang => None,
        }
    }
}

/// `error`, of `origin` where there is one.
pub(super) fn of_origin(error: Error, origin: Option<&Origin>) -> Error {
    match origin {
        Some(origin) => error.with_origin(origin.clone()),
        None => error,
    }
}

impl From<MockResponse> for MockAnswer {
    fn from(response: MockResponse) -> Self {
        Self::of(response.delay, What::Respond(Box::new(response)))
    }
}

/// The error as it is.
impl From<Error> for MockAnswer {
    fn from(error: Error) -> Self {
        Self::of(Duration::ZERO, What::Fail(error))
    }
}

/// An error of the kind, which knows the request's origin.
impl From<ErrorKind> for MockAnswer {
    fn from(kind: ErrorKind) -> Self {
        Self::of(Duration::ZERO, What::FailBy(kind))
    }
}

impl fmt::Debug for MockAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("MockAnswer");
        match &self.what {
            What::Respond(response) => out.field("response", response),
            What::Fail(error) => out.field("error", error),
            What::FailBy(kind) => out.field("error", kind),
            What::Make(_) => out.field("made_by", &"a function"),
            What::Hang => out.field("answer", &"none"),
        };
        out.field("delay", &self.delay).finish()
    }
}
