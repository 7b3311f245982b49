//! A hook that writes down what it is told.

use std::sync::Arc;
use std::time::Duration;

use standpipe_core::sync::Mutex;
use standpipe_core::{ConnectionFacts, Error, Origin};
use standpipe_transport::{CloseReason, Closed, PoolEvents};

/// What was told, without what differs from run to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Created,
    Reused(u64),
    Returned,
    Closed(CloseReason, u64),
    DialFailed,
    Waited(Duration),
    QueueFull,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<(u64, Event)>>>);

impl Recorder {
    fn note(&self, origin: &Origin, connection: u64, event: Event) {
        assert_eq!(origin.host(), "a.test");
        self.0.lock().push((connection, event));
    }

    /// What was told since it was asked last.
    pub(crate) fn take(&self) -> Vec<Event> {
        self.take_numbered().into_iter().map(|(_, e)| e).collect()
    }

    /// The same, with the number of the connection, or 0.
    pub(crate) fn take_numbered(&self) -> Vec<(u64, Event)> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl PoolEvents for Recorder {
    fn created(&self, origin: &Origin, connection: &ConnectionFacts) {
        self.note(origin, connection.id, Event::Created);
    }

    fn reused(&self, origin: &Origin, connection: &ConnectionFacts, uses_before: u64) {
        self.note(origin, connection.id, Event::Reused(uses_before));
    }

    fn returned(&self, origin: &Origin, connection: &ConnectionFacts) {
        self.note(origin, connection.id, Event::Returned);
    }

    fn closed(&self, origin: &Origin, closed: &Closed<'_>) {
        let event = Event::Closed(closed.reason, closed.uses);
        self.note(origin, closed.connection.id, event);
    }

    fn dial_failed(&self, origin: &Origin, _: &Error) {
        self.note(origin, 0, Event::DialFailed);
    }

    fn waited(&self, origin: &Origin, wait: Duration) {
        self.note(origin, 0, Event::Waited(wait));
    }

    fn queue_full(&self, origin: &Origin) {
        self.note(origin, 0, Event::QueueFull);
    }
}
