use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame};
use standpipe_core::{Closed, Unread};
use tokio::time::{Instant, timeout_at};

/// How much of a body is looked into.
const PEEKED: usize = 8 * 1024;
/// How long is waited for it to come.
const PATIENCE: Duration = Duration::from_secs(1);

/// A layer that looks into no body, and so asks nothing of its type.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPeek;

/// Looks into the body of a 4xx answer that would be tried again, and tells whether that is of use.
///
/// Some APIs answer 429 both to who is too fast and to who has no money left, and tell them apart in
/// the body alone. Set on a layer by [`RetryLayer::peek`](crate::RetryLayer::peek). The default looks
/// into none.
///
/// # Clone
///
/// Cheap: the classifier is shared.
#[derive(Clone, Default)]
pub struct Peek(Option<Arc<Classifier>>);

type Classifier = dyn Fn(&Peeked<'_>) -> Verdict + Send + Sync;

/// What a classifier is shown.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Peeked<'a> {
    /// The answer's status.
    pub status: StatusCode,
    /// The answer's headers.
    pub headers: &'a HeaderMap,
    /// The body's beginning: up to 8 KiB of it, or what came within a second; less where the request
    /// could not be tried again any more: when its deadline is near, or the client closes.
    pub body: &'a [u8],
}

/// What a classifier says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Trying again is of no use: the caller gets the answer, with all of its body.
    Final,
    /// It is tried again, as it would have been.
    Retry,
}

impl Peek {
    /// Asks `classifier`.
    pub fn new(classifier: impl Fn(&Peeked<'_>) -> Verdict + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(classifier)))
    }
}

impl fmt::Debug for Peek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peek").field(&self.0.is_some()).finish()
    }
}

/// What a layer does about bodies of the type `R`: [`NoPeek`] for any, [`Peek`] for those that take
/// back what was read of them ([`Unread`]), as [`standpipe_core::Body`] does.
///
/// It cannot be implemented outside of this crate.
pub trait Peeker<R>: sealed::Sealed {
    #[doc(hidden)]
    fn peek(
        &self,
        response: Response<R>,
        latest: Option<Instant>,
        closed: Option<Closed>,
    ) -> Result<PeekFuture<R>, Response<R>>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::NoPeek {}
    impl Sealed for super::Peek {}
}

impl<R> Peeker<R> for NoPeek {
    fn peek(
        &self,
        response: Response<R>,
        _: Option<Instant>,
        _: Option<Closed>,
    ) -> Result<PeekFuture<R>, Response<R>> {
        Err(response)
    }
}

impl<R> Peeker<R> for Peek
where
    R: Unread<Data: AsRef<[u8]> + Send, Error: Send> + Unpin + Send + 'static,
{
    fn peek(
        &self,
        response: Response<R>,
        latest: Option<Instant>,
        closed: Option<Closed>,
    ) -> Result<PeekFuture<R>, Response<R>> {
        match &self.0 {
            Some(classifier) => {
                let looking = look(Arc::clone(classifier), response, latest, closed);
                Ok(PeekFuture(Box::pin(looking)))
            }
            None => Err(response),
        }
    }
}

/// The look into a body. It is boxed: it is far from the fast path.
pub struct PeekFuture<R>(Pin<Box<dyn Future<Output = (Response<R>, Verdict)> + Send>>);

impl<R> Future for PeekFuture<R> {
    type Output = (Response<R>, Verdict);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<R> fmt::Debug for PeekFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeekFuture")
    }
}

/// Looks until the second is over, or `latest` has come, or the client closes.
async fn look<R>(
    classifier: Arc<Classifier>,
    response: Response<R>,
    latest: Option<Instant>,
    mut closed: Option<Closed>,
) -> (Response<R>, Verdict)
where
    R: Unread<Data: AsRef<[u8]>> + Unpin,
{
    let patience = Instant::now() + PATIENCE;
    let until = latest.map_or(patience, |latest| latest.min(patience));
    let (parts, body) = response.into_parts();
    let mut reading = Reading {
        body,
        frames: VecDeque::new(),
        seen: Vec::new(),
    };
    let read = poll_fn(|cx| match (reading.poll(cx), &mut closed) {
        (Poll::Pending, Some(closed)) => Pin::new(closed).poll(cx),
        (read, _) => read,
    });
    // What has come when the time is over is looked at.
    let _ = timeout_at(until, read).await;
    let verdict = classifier(&Peeked {
        status: parts.status,
        headers: &parts.headers,
        body: &reading.seen,
    });
    let body = reading.body.unread(reading.frames);
    (Response::from_parts(parts, body), verdict)
}

struct Reading<R: Body> {
    body: R,
    frames: VecDeque<Result<Frame<R::Data>, R::Error>>,
    seen: Vec<u8>,
}

impl<R> Reading<R>
where
    R: Body<Data: AsRef<[u8]>> + Unpin,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A body of nothing but empty frames does not go on for ever.
        while self.seen.len() < PEEKED && self.frames.len() < PEEKED && !self.body.is_end_stream() {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else {
                break;
            };
            if let Ok(frame) = &frame
                && let Some(data) = frame.data_ref()
            {
                let data = data.as_ref();
                let room = PEEKED - self.seen.len();
                self.seen.extend_from_slice(&data[..data.len().min(room)]);
            }
            let failed = frame.is_err();
            self.frames.push_back(frame);
            if failed {
                break;
            }
        }
        Poll::Ready(())
    }
}
