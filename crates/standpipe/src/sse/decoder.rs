use std::sync::Arc;
use std::time::Duration;

use standpipe_core::{Error, ErrorKind, Phase, RequestSent};

use super::Event;
use crate::stream::{LineSplitter, MAX_LINE};

/// What an event may be of, unless set, in bytes: that of a large answer in one event.
const MAX_EVENT: usize = MAX_LINE;

/// Makes events of the bytes of an event stream: a machine without clock and IO.
///
/// It holds the line and the event that have begun, each up to a limit, and nothing else. UTF-8 is
/// read as the standard says: what is invalid becomes U+FFFD.
///
/// ```
/// use standpipe::sse::Decoder;
///
/// let mut decoder = Decoder::new();
/// let mut events = Vec::new();
/// for chunk in ["event: greeting\ndata: hel", "lo\n\n: a comment\ndata: all\r", "\ndata: of it\r\n\r\n"] {
///     let mut bytes = chunk.as_bytes();
///     while let Some(event) = decoder.decode(&mut bytes)? {
///         events.push((event.name().to_owned(), event.into_data()));
///     }
/// }
/// let expected = [("greeting", "hello"), ("message", "all\nof it")];
/// assert_eq!(events, expected.map(|(name, data)| (name.to_owned(), data.to_owned())));
/// # Ok::<_, standpipe::Error>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    lines: LineSplitter,
    state: State,
    /// After an error nothing is decoded any more.
    failed: Option<ErrorKind>,
}

/// What the lines so far have said.
#[derive(Debug)]
struct State {
    max_event: usize,
    /// Before the first line, which may begin with a byte order mark.
    at_start: bool,
    /// Each `data` line with a LF after it.
    data: String,
    name: String,
    /// The id that the next end of an event makes the last one.
    id: Arc<str>,
    last_id: Arc<str>,
    retry: Option<Duration>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the begin of a stream, with limits of 8 MiB.
    pub fn new() -> Self {
        let none: Arc<str> = "".into();
        Self {
            lines: LineSplitter::new(MAX_LINE),
            state: State {
                max_event: MAX_EVENT,
                at_start: true,
                data: String::new(),
                name: String::new(),
                id: Arc::clone(&none),
                last_id: none,
                retry: None,
            },
            failed: None,
        }
    }

    /// How long a line may be, in bytes without its end; comments are lines too.
    #[must_use]
    pub fn max_line_bytes(mut self, max: usize) -> Self {
        self.lines.set_max(max);
        self
    }

    /// How large an event may be: its data, name and id together, in bytes.
    #[must_use]
    pub fn max_event_bytes(mut self, max: usize) -> Self {
        self.state.max_event = max;
        self
    }

    /// The next event, whose bytes are taken off `bytes`; none where there is no further one in
    /// them, all of which are taken then. An event whose end has not come when the stream ends is none.
    ///
    /// # Errors
    ///
    /// [`LineTooLong`](ErrorKind::LineTooLong) and [`EventTooLarge`](ErrorKind::EventTooLarge), as
    /// soon as the limit is passed, and again for every call after that.
    pub fn decode(&mut self, bytes: &mut &[u8]) -> Result<Option<Event>, Error> {
        if let Some(kind) = self.failed {
            return Err(failure(kind));
        }
        let decoded = self.decode_on(bytes);
        if let Err(error) = &decoded {
            self.failed = Some(error.kind());
        }
        decoded
    }

    /// The last id that an event ended with, for the `Last-Event-ID` of the request that goes on
    /// from there; empty where there was none.
    pub fn last_event_id(&self) -> &str {
        &self.state.last_id
    }

    /// How long the server asks to wait before the stream is asked for again.
    pub fn retry(&self) -> Option<Duration> {
        self.state.retry
    }

    fn decode_on(&mut self, bytes: &mut &[u8]) -> Result<Option<Event>, Error> {
        let limit = self.lines.max() as u64;
        loop {
            let input = *bytes;
            let Ok((used, line)) = self.lines.next(input) else {
                return Err(failure(ErrorKind::LineTooLong { limit }));
            };
            *bytes = &input[used..];
            let Some(line) = line else {
                return Ok(None);
            };
            match self.state.take_in(line) {
                Ok(None) => {}
                Ok(Some(event)) => return Ok(Some(event)),
                Err(kind) => return Err(failure(kind)),
            }
        }
    }
}

impl State {
    fn take_in(&mut self, line: &[u8]) -> Result<Option<Event>, ErrorKind> {
        let line = match std::mem::take(&mut self.at_start) {
            true => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            false => line,
        };
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        self.field(field, value.strip_prefix(b" ").unwrap_or(value));
        let limit = self.max_event;
        match self.size() > limit {
            true => Err(ErrorKind::EventTooLarge {
                limit: limit as u64,
            }),
            false => Ok(None),
        }
    }

    fn field(&mut self, field: &[u8], value: &[u8]) {
        match field {
            b"data" => {
                push_lossy(&mut self.data, value);
                self.data.push('\n');
            }
            b"event" => {
                self.name.clear();
                push_lossy(&mut self.name, value);
            }
            b"id" if !value.contains(&0) => self.id = String::from_utf8_lossy(value).into(),
            b"retry" => self.retry = milliseconds(value).or(self.retry),
            // A comment, or a field that the standard does not know.
            _ => {}
        }
    }

    fn dispatch(&mut self) -> Option<Event> {
        self.last_id = Arc::clone(&self.id);
        let mut data = std::mem::take(&mut self.data);
        let name = std::mem::take(&mut self.name);
        // Only the LF that ends the last line: an event of empty lines is one.
        data.pop()?;
        Some(Event {
            name: (!name.is_empty()).then(|| name.into_boxed_str()),
            data,
            id: Arc::clone(&self.last_id),
        })
    }

    fn size(&self) -> usize {
        let id = match Arc::ptr_eq(&self.id, &self.last_id) {
            true => 0,
            false => self.id.len(),
        };
        self.data.len().saturating_sub(1) + self.name.len() + id
    }
}

fn push_lossy(to: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        to.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            to.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// Digits and nothing else; a number that is out of all reason is none.
fn milliseconds(value: &[u8]) -> Option<Duration> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = std::str::from_utf8(value).ok()?;
    digits.parse().ok().map(Duration::from_millis)
}

fn failure(kind: ErrorKind) -> Error {
    Error::new(kind)
        .with_phase(Phase::Body)
        .with_request_sent(RequestSent::Yes)
}
