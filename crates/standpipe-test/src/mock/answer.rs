use std::time::Duration;

use http::Response;
use standpipe_core::{Body, Error, ErrorKind, Origin};

use super::MockResponse;
use super::body::of_origin;

/// What becomes of a request: a [`MockResponse`], an [`Error`] or one of a kind, or nothing.
///
/// ```
/// use std::time::Duration;
/// use standpipe_core::ErrorKind;
/// use standpipe_test::mock::{MockAnswer, MockResponse};
///
/// let mut answers: Vec<MockAnswer> = vec![MockResponse::new(200).into()];
/// answers.push(MockAnswer::from(ErrorKind::ConnectTimeout).after(Duration::from_secs(5)));
/// answers.push(MockAnswer::hang());
/// ```
#[derive(Clone, Debug)]
pub struct MockAnswer {
    delay: Duration,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Respond(Box<MockResponse>),
    Fail(Error),
    Hang,
}

impl MockAnswer {
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
    pub(super) fn give(self, origin: Option<&Origin>) -> Option<Result<Response<Body>, Error>> {
        match self.what {
            What::Respond(response) => Some(Ok(response.into_response(origin))),
            What::Fail(error) => Some(Err(of_origin(error, origin))),
            What::Hang => None,
        }
    }
}

impl From<MockResponse> for MockAnswer {
    fn from(response: MockResponse) -> Self {
        Self::of(response.delay, What::Respond(Box::new(response)))
    }
}

impl From<Error> for MockAnswer {
    fn from(error: Error) -> Self {
        Self::of(Duration::ZERO, What::Fail(error))
    }
}

impl From<ErrorKind> for MockAnswer {
    fn from(kind: ErrorKind) -> Self {
        Error::new(kind).into()
    }
}
