//! What a pool tells its hook, and counts.

mod closed;
mod hooks;
#[path = "../support/mod.rs"]
mod support;
mod told;

use std::sync::Arc;
use std::time::Duration;

use standpipe_core::sync::Mutex;
use standpipe_core::{ConnectionFacts, Error, Origin};
use standpipe_transport::{CloseReason, Closed, PoolEvents, Transport};

/// A hook that writes down what it is told.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().push(line.into());
    }

    /// What was told since this was asked last.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }

    /// Why connections were closed.
    fn closed(&self) -> Vec<String> {
        let lines = self.take().into_iter();
        lines.filter(|line| line.starts_with("closed")).collect()
    }
}

impl PoolEvents for Log {
    fn created(&self, origin: &Origin, _: &ConnectionFacts) {
        self.add(format!("created {}", origin.host()));
    }

    fn leased(&self, _: &Origin, _: &ConnectionFacts) {
        self.add("leased");
    }

    fn reused(&self, _: &Origin, _: &ConnectionFacts, uses_before: u64) {
        self.add(format!("reused after {uses_before}"));
    }

    fn returned(&self, _: &Origin, _: &ConnectionFacts) {
        self.add("returned");
    }

    fn closed(&self, _: &Origin, closed: &Closed<'_>) {
        self.add(format!("closed {:?} {}", closed.reason, closed.uses));
    }

    fn dial_failed(&self, _: &Origin, error: &Error) {
        self.add(format!("dial failed {:?}", error.kind()));
    }

    fn waited(&self, _: &Origin, wait: Duration) {
        self.add(format!("waited {wait:?}"));
    }

    fn queue_full(&self, _: &Origin) {
        self.add("queue full");
    }
}

/// What was created is closed or open.
#[track_caller]
fn assert_balanced(transport: &Transport) {
    for origin in transport.stats().origins {
        let now = origin.connections;
        let open = u64::try_from(now.active + now.idle).unwrap();
        assert_eq!(now.created, now.closed.total() + open, "{now:?}");
    }
}

#[track_caller]
fn assert_closed(transport: &Transport, reason: CloseReason, count: u64) {
    let closed = support::stats(transport).closed;
    let all: Vec<_> = closed.iter().collect();
    assert_eq!(all, [(reason, count)]);
    assert_balanced(transport);
}
