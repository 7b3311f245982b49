//! The body, read as it comes.

use http::StatusCode;
use http::header::CONTENT_ENCODING;
use standpipe_core::{Error, ErrorKind, Phase, RequestSent};

use super::Response;
use crate::sse::Events;
use crate::stream::{BytesStream, Lines};

impl Response {
    /// The body as a stream of its chunks. There is no limit on its length.
    pub fn bytes_stream(self) -> BytesStream {
        BytesStream::new(self.inner.into_body(), self.url, self.trailers, self.late)
    }

    /// The body as a stream of its lines, each up to a limit.
    pub fn lines(self) -> Lines {
        Lines::new(self.bytes_stream())
    }

    /// The body as a stream of server-sent events.
    ///
    /// ```
    /// # async fn run(pool: standpipe::Pool) -> Result<(), standpipe::Error> {
    /// let response = pool.get("https://example.com/events").send_streaming().await?;
    /// let mut events = response.error_for_status()?.events()?;
    /// while let Some(event) = events.next().await {
    ///     let event = event?;
    ///     println!("{}: {}", event.name(), event.data());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Nothing is read of a response that is no event stream:
    ///
    /// - [`Status`](ErrorKind::Status), as [`error_for_status`](Response::error_for_status) gives it;
    /// - [`Decode`](ErrorKind::Decode) for a status of success other than these with a body, where
    ///   `Content-Type` is not `text/event-stream`, and where the body is compressed.
    pub fn events(self) -> Result<Events, Error> {
        let response = self.error_for_status()?;
        match response.why_no_events() {
            None => Ok(Events::new(response.bytes_stream())),
            Some(why) => Err(Error::new(ErrorKind::Decode)
                .with_phase(Phase::Body)
                .with_request_sent(RequestSent::Yes)
                .with_message(why)
                .with_url(&response.url)),
        }
    }

    fn why_no_events(&self) -> Option<&'static str> {
        let status = self.status();
        if !status.is_success()
            || [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT].contains(&status)
        {
            return Some("a response of this status has no events");
        }
        let is_stream = |found: super::ContentType<'_>| found.is("text/event-stream");
        if !self.content_type().is_some_and(is_stream) {
            return Some("its content type is not text/event-stream");
        }
        let coding = self.headers().get(CONTENT_ENCODING);
        let coded =
            coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
        coded.then_some("the body is still compressed")
    }
}
