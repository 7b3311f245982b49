use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_core::Stream;
use http::HeaderMap;
use standpipe_core::{Error, ErrorKind, Outcome, Phase, RequestSent};
use tokio::time::Sleep;

use super::{Decoder, ErrorEvent, Event};
use crate::stream::BytesStream;

/// How long the end of the body is waited for after the event that is the last one, so that its
/// connection can be used again.
const END_WITHIN: Duration = Duration::from_millis(100);

/// How much of what comes after that event is read for it.
const END_AFTER: usize = 64 * 1024;

type Predicate = Box<dyn Fn(&Event) -> bool + Send + Sync>;

/// The events of a response as they come; made by [`Response::events`](crate::Response::events).
///
/// The stream is read by the rules of the HTML standard, and is never asked for again by itself:
/// [`last_event_id`](Events::last_event_id) and [`retry`](Events::retry) are what that takes.
///
/// An event by the name of `error` is given as an error, with the event as its source: see
/// [`ErrorEvent`] and [`fails_when`](Events::fails_when).
///
/// Of a request that was [sent for streaming](crate::RequestBuilder::send_streaming) the origin's
/// circuit breaker learns how the stream ends: streams that fail in a row open it, though each head was
/// a success. A stream that is dropped says nothing, and neither does one that passes a limit.
///
/// # Errors
///
/// - [`StreamError`](ErrorKind::StreamError) for an event by which the server tells that it failed.
///   What comes after it is still given.
/// - [`StreamIdle`](ErrorKind::StreamIdle) after a silence as long as the idle timeout; a comment, such
///   as a ping, ends a silence.
/// - [`StreamIncomplete`](ErrorKind::StreamIncomplete) where the body ends before the event that
///   [`ends_when`](Events::ends_when) waits for.
/// - [`LineTooLong`](ErrorKind::LineTooLong) and [`EventTooLarge`](ErrorKind::EventTooLarge) beyond the
///   limits.
/// - What the body failed with, such as [`ConnectionClosed`](ErrorKind::ConnectionClosed).
///
/// Nothing comes after any but the first of these.
///
/// # Cancel safety
///
/// As [`BytesStream`]: dropping it ends the stream at once.
///
/// # Panics
///
/// After the event that is the last one, a body that has not ended yet is waited for; that panics
/// outside a tokio runtime with its timers enabled.
pub struct Events {
    bytes: BytesStream,
    chunk: Bytes,
    decoder: Decoder,
    ends_when: Option<Predicate>,
    fails_when: Predicate,
    given: u64,
    /// An event told of a failure, so the stream need not come to its proper end.
    has_failed: bool,
    /// The last event was given, and the end of the body is waited for.
    ending: Option<Ending>,
}

#[derive(Default)]
struct Ending {
    read: usize,
    clock: Option<Pin<Box<Sleep>>>,
}

impl Events {
    pub(crate) fn new(bytes: BytesStream) -> Self {
        Self {
            bytes,
            chunk: Bytes::new(),
            decoder: Decoder::new(),
            ends_when: None,
            fails_when: Box::new(|event| event.name() == "error"),
            given: 0,
            has_failed: false,
            ending: None,
        }
    }

    /// How long a line may be, in bytes without its end: 8 MiB unless set.
    #[must_use]
    pub fn max_line_bytes(mut self, max: usize) -> Self {
        self.decoder = self.decoder.max_line_bytes(max);
        self
    }

    /// How large an event may be, its data, name and id together, in bytes: 8 MiB unless set.
    #[must_use]
    pub fn max_event_bytes(mut self, max: usize) -> Self {
        self.decoder = self.decoder.max_event_bytes(max);
        self
    }

    /// Names the event that is the stream's last one, such as `[DONE]` or `message_stop`. It is
    /// given, the stream ends after it, and a body that ends before it is
    /// [`StreamIncomplete`](ErrorKind::StreamIncomplete).
    ///
    /// Unless this is set, the end of the body is the end of the stream.
    ///
    /// ```
    /// # async fn run(response: standpipe::Response) -> Result<(), standpipe::Error> {
    /// let events = response
    ///     .events()?
    ///     .ends_when(|event| event.data() == "[DONE]" || event.name() == "message_stop");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn ends_when(mut self, last: impl Fn(&Event) -> bool + Send + Sync + 'static) -> Self {
        self.ends_when = Some(Box::new(last));
        self
    }

    /// Says which events tell of a failure of the server's, in place of those named `error`. They are
    /// given as errors of kind [`StreamError`](ErrorKind::StreamError).
    ///
    /// ```
    /// # async fn run(response: standpipe::Response) -> Result<(), standpipe::Error> {
    /// // An API whose errors have no name of their own.
    /// let mut events = response.events()?.fails_when(|event| event.data().starts_with(r#"{"error""#));
    /// if let Some(Err(error)) = events.next().await
    ///     && let Some(event) = standpipe::sse::ErrorEvent::of(&error)
    /// {
    ///     println!("the server says: {}", event.data());
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn fails_when(mut self, failure: impl Fn(&Event) -> bool + Send + Sync + 'static) -> Self {
        self.fails_when = Box::new(failure);
        self
    }

    /// The next event; none at the end.
    ///
    /// # Errors
    ///
    /// As the stream.
    ///
    /// # Cancel safety
    ///
    /// Nothing read is lost.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The last id that an event ended with, for
    /// [`RequestBuilder::last_event_id`](crate::RequestBuilder::last_event_id); empty where there was
    /// none.
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// How long the server asks to wait before the stream is asked for again.
    pub fn retry(&self) -> Option<Duration> {
        self.decoder.retry()
    }

    /// How many events were given, those that tell of a failure included.
    pub fn events_read(&self) -> u64 {
        self.given
    }

    /// How many bytes have come, comments included.
    pub fn bytes_read(&self) -> u64 {
        self.bytes.bytes_read()
    }

    /// The trailers, once the body has ended with some.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.bytes.trailers()
    }

    /// The next event of the chunk at hand.
    fn next_here(&mut self) -> Result<Option<Event>, Error> {
        let mut rest = &self.chunk[..];
        let event = self.decoder.decode(&mut rest);
        let used = self.chunk.len() - rest.len();
        self.chunk.advance(used);
        event
    }

    fn give(&mut self, event: Event) -> Result<Event, Error> {
        self.given += 1;
        let is_last = self.ends_when.as_ref().is_some_and(|last| last(&event));
        let failed = (self.fails_when)(&event);
        if failed {
            self.has_failed = true;
            self.bytes.tell(Outcome::Failure);
        }
        if is_last {
            self.bytes.tell(Outcome::Success);
            self.ending = Some(Ending::default());
            self.chunk = Bytes::new();
        }
        if !failed {
            return Ok(event);
        }
        Err(self
            .error(ErrorKind::StreamError)
            .with_source(ErrorEvent::new(event)))
    }

    fn at_end(&mut self) -> Option<Error> {
        let complete = self.ends_when.is_none() || self.has_failed;
        self.bytes.tell(match complete {
            true => Outcome::Success,
            false => Outcome::Failure,
        });
        let events = self.given;
        (!complete).then(|| self.error(ErrorKind::StreamIncomplete { events }))
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind)
            .with_phase(Phase::Body)
            .with_request_sent(RequestSent::Yes)
            .with_url(self.bytes.url())
    }

    fn fail(&mut self, error: Error) -> Error {
        self.bytes.end();
        self.chunk = Bytes::new();
        if error.kind() != ErrorKind::BodyIdleTimeout {
            return error.with_url(self.bytes.url());
        }
        let kind = ErrorKind::StreamIdle {
            bytes: self.bytes.bytes_read(),
            events: self.given,
        };
        self.error(kind).with_source(error)
    }

    /// Ready when nothing is held any more.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(ending) = &mut self.ending else {
            return Poll::Ready(());
        };
        while ending.read <= END_AFTER {
            match self.bytes.poll_chunk(cx) {
                Poll::Ready(Some(Ok(chunk))) => ending.read += chunk.len(),
                // All that was asked for has come: how the rest fails is nobody's business.
                Poll::Ready(Some(Err(_)) | None) => break,
                Poll::Pending => {
                    let clock = ending
                        .clock
                        .get_or_insert_with(|| Box::pin(tokio::time::sleep(END_WITHIN)));
                    ready!(clock.as_mut().poll(cx));
                    break;
                }
            }
        }
        self.bytes.end();
        self.ending = None;
        Poll::Ready(())
    }
}

impl Stream for Events {
    type Item = Result<Event, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if this.ending.is_some() {
                ready!(this.poll_end(cx));
                return Poll::Ready(None);
            }
            if this.bytes.has_ended() && this.chunk.is_empty() {
                return Poll::Ready(None);
            }
            match this.next_here() {
                Ok(None) => {}
                Ok(Some(event)) => return Poll::Ready(Some(this.give(event))),
                Err(error) => return Poll::Ready(Some(Err(this.fail(error)))),
            }
            match ready!(this.bytes.poll_chunk(cx)) {
                Some(Ok(chunk)) => this.chunk = chunk,
                Some(Err(error)) => return Poll::Ready(Some(Err(this.fail(error)))),
                None => return Poll::Ready(this.at_end().map(Err)),
            }
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("bytes", &self.bytes)
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}
