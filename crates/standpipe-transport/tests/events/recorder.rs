//! A hook that writes down what it is told, and what must hold of a transport's figures.

use std::sync::Arc;
use std::time::Duration;

use standpipe_core::sync::Mutex;
use standpipe_core::{ConnectionFacts, Error, ErrorKind, Origin};
use standpipe_transport::{CloseReason, Closed, PoolEvents, Transport};

use crate::support;

/// What was told, without what differs from run to run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Created,
    Leased,
    Reused(u64),
    Returned,
    Closed(CloseReason, u64),
    DialFailed(ErrorKind),
    Waited(Duration),
    QueueFull,
}

/// An event with the host that it is of, and the number of the connection, or 0.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) host: String,
    pub(crate) connection: u64,
    pub(crate) event: Event,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<Told>>>);

impl Recorder {
    fn note(&self, origin: &Origin, connection: u64, event: Event) {
        let host = origin.host().to_owned();
        self.0.lock().push(Told {
            host,
            connection,
            event,
        });
    }

    /// What was told since it was asked last.
    pub(crate) fn take(&self) -> Vec<Event> {
        self.take_told()
            .into_iter()
            .map(|told| told.event)
            .collect()
    }

    /// The same, with what it is of.
    pub(crate) fn take_told(&self) -> Vec<Told> {
        std::mem::take(&mut *self.0.lock())
    }

    /// Why connections were closed, and after how many uses, since it was asked last.
    pub(crate) fn take_closed(&self) -> Vec<(CloseReason, u64)> {
        let events = self.take().into_iter();
        let closed = events.filter_map(|event| match event {
            Event::Closed(reason, uses) => Some((reason, uses)),
            _ => None,
        });
        closed.collect()
    }

    /// Whether an end was told that was not asked for yet.
    pub(crate) fn has_closed(&self) -> bool {
        let told = self.0.lock();
        told.iter()
            .any(|told| matches!(told.event, Event::Closed(..)))
    }
}

impl PoolEvents for Recorder {
    fn created(&self, origin: &Origin, connection: &ConnectionFacts) {
        self.note(origin, connection.id, Event::Created);
    }

    fn leased(&self, origin: &Origin, connection: &ConnectionFacts) {
        self.note(origin, connection.id, Event::Leased);
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

    fn dial_failed(&self, origin: &Origin, error: &Error) {
        self.note(origin, 0, Event::DialFailed(error.kind()));
    }

    fn waited(&self, origin: &Origin, wait: Duration) {
        self.note(origin, 0, Event::Waited(wait));
    }

    fn queue_full(&self, origin: &Origin) {
        self.note(origin, 0, Event::QueueFull);
    }
}

/// What was created is closed or open.
#[track_caller]
pub(crate) fn assert_balanced(transport: &Transport) {
    for origin in transport.stats().origins {
        let now = origin.connections;
        let open = u64::try_from(now.active + now.idle).unwrap();
        assert_eq!(now.created, now.closed.total() + open, "{now:?}");
    }
}

/// That connections were closed for these reasons, each so many times, and for no others.
#[track_caller]
pub(crate) fn assert_closed(transport: &Transport, reasons: &[(CloseReason, u64)]) {
    let closed: Vec<_> = support::stats(transport).closed.iter().collect();
    assert_eq!(closed, reasons);
    assert_balanced(transport);
}
