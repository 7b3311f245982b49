use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use standpipe_core::{Body, Error, ErrorKind, Origin, Phase, RequestSent};
use tokio::time::Sleep;

use super::answer::of_origin;

/// The body of a [`MockResponse`](super::MockResponse): bytes that are all there at once, or steps,
/// which come one after the other and may fail.
///
/// ```
/// use std::time::Duration;
/// use standpipe_core::ErrorKind;
/// use standpipe_test::mock::MockBody;
///
/// let whole: MockBody = "all of it".into();
/// let broken = MockBody::stream()
///     .chunk("half of ")
///     .wait(Duration::from_secs(1))
///     .fail(ErrorKind::ConnectionClosed);
/// # let _ = (whole, broken);
/// ```
#[derive(Clone, Debug, Default)]
pub struct MockBody {
    steps: VecDeque<Step>,
    streamed: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Chunk(Bytes),
    Wait(Duration),
    Fail(Error),
    FailBy(ErrorKind),
    Hang,
}

impl MockBody {
    /// A body that has no step yet and so ends at once, of a length unknown beforehand.
    pub fn stream() -> Self {
        Self {
            steps: VecDeque::new(),
            streamed: true,
        }
    }

    /// The same, and then these bytes.
    #[must_use]
    pub fn chunk(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Chunk(bytes.into()))
    }

    /// The same, and then nothing for `time`, by tokio's clock.
    #[must_use]
    pub fn wait(self, time: Duration) -> Self {
        self.then(Step::Wait(time))
    }

    /// The same, and then an error of `kind` in the body, which knows the request's origin.
    #[must_use]
    pub fn fail(self, kind: ErrorKind) -> Self {
        self.then(Step::FailBy(kind))
    }

    /// The same, and then `error`, as it is.
    #[must_use]
    pub fn fail_with(self, error: Error) -> Self {
        self.then(Step::Fail(error))
    }

    /// The same, and then nothing for ever.
    #[must_use]
    pub fn hang(self) -> Self {
        self.then(Step::Hang)
    }

    fn then(mut self, step: Step) -> Self {
        self.streamed = true;
        self.steps.push_back(step);
        self
    }

    pub(super) fn into_body(
        mut self,
        trailers: Option<HeaderMap>,
        origin: Option<&Origin>,
    ) -> Body {
        if !self.streamed && trailers.is_none() {
            return match self.steps.pop_front() {
                Some(Step::Chunk(bytes)) => bytes.into(),
                _ => Body::empty(),
            };
        }
        Body::new(Steps {
            steps: self.steps,
            trailers,
            wait: None,
            origin: origin.cloned(),
        })
    }
}

macro_rules! from_bytes_like {
    ($($ty:ty),*) => {$(
        impl From<$ty> for MockBody {
            fn from(value: $ty) -> Self {
                Self {
                    steps: VecDeque::from([Step::Chunk(value.into())]),
                    streamed: false,
                }
            }
        }
    )*};
}

from_bytes_like!(&'static str, &'static [u8], String, Vec<u8>, Bytes);

#[cfg(feature = "json")]
impl From<serde_json::Value> for MockBody {
    fn from(json: serde_json::Value) -> Self {
        json.to_string().into()
    }
}

/// A [`MockBody`] under way.
struct Steps {
    steps: VecDeque<Step>,
    trailers: Option<HeaderMap>,
    wait: Option<Pin<Box<Sleep>>>,
    origin: Option<Origin>,
}

impl Steps {
    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.steps.clear();
        self.trailers = None;
        Poll::Ready(Some(Err(error)))
    }
}

impl http_body::Body for Steps {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            if let Some(wait) = &mut self.wait {
                ready!(wait.as_mut().poll(cx));
                self.wait = None;
            }
            match self.steps.pop_front() {
                Some(Step::Chunk(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Wait(time)) => self.wait = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Fail(error)) => return self.fail(error),
                Some(Step::FailBy(kind)) => {
                    let error = Error::new(kind)
                        .with_phase(Phase::Body)
                        .with_request_sent(RequestSent::Yes);
                    let error = of_origin(error, self.origin.as_ref());
                    return self.fail(error);
                }
                Some(Step::Hang) => {
                    self.steps.push_front(Step::Hang);
                    return Poll::Pending;
                }
                None => {
                    let trailers = self.trailers.take();
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.wait.is_none() && self.trailers.is_none()
    }
}
