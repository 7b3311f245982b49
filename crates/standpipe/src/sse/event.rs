use std::fmt;
use std::sync::Arc;

/// One server-sent event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub(super) name: Option<Box<str>>,
    pub(super) data: String,
    pub(super) id: Arc<str>,
}

impl Event {
    /// Its name, `"message"` where the server gave none.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("message")
    }

    /// Its data: the `data` lines, joined by LF.
    pub fn data(&self) -> &str {
        &self.data
    }

    /// The same, without a copy.
    pub fn into_data(self) -> String {
        self.data
    }

    /// The last id that the stream had told by then, which goes into `Last-Event-ID`; empty where
    /// there was none.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The data, read as JSON.
    ///
    /// # Errors
    ///
    /// [`Decode`](crate::ErrorKind::Decode) where it is not the JSON of a `T`.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, crate::Error> {
        serde_json::from_str(&self.data).map_err(|error| {
            crate::Error::new(crate::ErrorKind::Decode)
                .with_phase(crate::Phase::Body)
                .with_request_sent(crate::RequestSent::Yes)
                .with_message("the data of the event is not the JSON asked for")
                .with_source(error)
        })
    }
}

/// The event by which a server tells that it failed: the source of an
/// [`Error`](crate::Error) of kind [`StreamError`](crate::ErrorKind::StreamError).
///
/// Its `Display` and `Debug` do not show the data, which may be anything.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorEvent {
    event: Event,
}

impl ErrorEvent {
    pub(super) fn new(event: Event) -> Self {
        Self { event }
    }

    /// The event, with all it said.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The event in `error`, where it is one of kind
    /// [`StreamError`](crate::ErrorKind::StreamError).
    pub fn of(error: &crate::Error) -> Option<&Event> {
        let source = std::error::Error::source(error)?;
        source.downcast_ref().map(Self::event)
    }
}

impl fmt::Display for ErrorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = &self.event;
        write!(f, "event {:?} of {} bytes", event.name(), event.data.len())
    }
}

impl fmt::Debug for ErrorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErrorEvent({self})")
    }
}

impl std::error::Error for ErrorEvent {}
