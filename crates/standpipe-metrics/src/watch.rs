//! The decision: what is counted of a request, and when. Time is passed in.

use http::{Method, StatusCode};
use tokio::time::Instant;

use crate::count::{Class, Ending, Took};
use crate::host::Handle;
use crate::label::{ErrorType, UrlTemplate};
use crate::recorder::{Event, Exchange, HostRecord, Scope};

/// What is known of a request. Every byte of it is moved with the response.
#[derive(Debug)]
struct Facts {
    host: Handle,
    started: Instant,
    template: Option<&'static str>,
    /// Of the request's body, [`UNKNOWN`] where it was not known beforehand; from the head on, of
    /// the response's, as far as it came.
    bytes: u64,
    status: Option<StatusCode>,
    method: u8,
    scope: Scope,
}

const UNKNOWN: u64 = u64::MAX;

/// Watches a request up to its response head; dropped before, it counts the request as cancelled.
#[derive(Debug)]
pub(crate) struct Watch {
    /// None once its end is counted.
    facts: Option<Facts>,
}

/// Watches a response body; dropped before its end, it counts the body as abandoned.
#[derive(Debug)]
pub(crate) struct BodyWatch {
    facts: Option<Facts>,
}

impl Watch {
    /// Counts nothing.
    pub(crate) fn none() -> Self {
        Self { facts: None }
    }

    #[inline]
    pub(crate) fn start(
        host: Handle,
        scope: Scope,
        method: &Method,
        template: Option<UrlTemplate>,
        request_bytes: Option<u64>,
        now: Instant,
    ) -> Self {
        let facts = Facts {
            started: now,
            template: template.map(|template| template.0),
            bytes: request_bytes.unwrap_or(UNKNOWN),
            status: None,
            method: host.host().settings.methods.find(method),
            scope,
            host,
        };
        facts.start();
        Self { facts: Some(facts) }
    }

    /// Whether the end is yet to be counted.
    pub(crate) fn is_on(&self) -> bool {
        self.facts.is_some()
    }

    /// The response head has come, and with it `arrived` bytes that are all of the body; else
    /// [`body`](Watch::body) is to watch that.
    #[inline]
    pub(crate) fn head(&mut self, status: StatusCode, arrived: Option<u64>, now: Instant) {
        let Some(facts) = &mut self.facts else {
            return;
        };
        facts.status = Some(status);
        facts.end(Class::of(status), None, arrived, now);
        facts.bytes = 0;
        if arrived.is_some() {
            self.facts = None;
        }
    }

    /// What watches the response's body, after its head.
    #[inline]
    pub(crate) fn body(&mut self) -> BodyWatch {
        let facts = self.facts.take();
        BodyWatch { facts }
    }

    /// The attempt's response came on a connection that had carried a request before.
    pub(crate) fn on_reused_connection(&self) {
        if let Some(facts) = &self.facts
            && facts.scope == Scope::Attempt
        {
            let (cells, owned) = facts.host.cells();
            cells.reuse(owned);
        }
    }

    #[cold]
    pub(crate) fn fail(&mut self, error: ErrorType, now: Instant) {
        if let Some(facts) = self.facts.take() {
            facts.count_error(error);
            facts.end(Class::Error, Some(error), None, now);
        }
    }

    #[cold]
    fn cancel(&mut self) {
        if let Some(facts) = self.facts.take() {
            let error = Some(ErrorType::CANCELLED);
            facts.end(Class::Cancelled, error, None, Instant::now());
        }
    }
}

impl Drop for Watch {
    #[inline]
    fn drop(&mut self) {
        if self.facts.is_some() {
            self.cancel();
        }
    }
}

impl BodyWatch {
    /// So many bytes were put back, and will be seen again.
    pub(crate) fn unsaw(&mut self, bytes: usize) {
        if let Some(facts) = &mut self.facts {
            facts.bytes = facts.bytes.saturating_sub(bytes as u64);
        }
    }

    pub(crate) fn saw(&mut self, bytes: usize) {
        if let Some(facts) = &mut self.facts {
            facts.bytes = facts.bytes.saturating_add(bytes as u64);
        }
    }

    /// All of it is there, so many bytes, though not all were read.
    pub(crate) fn arrived(mut self, bytes: u64) {
        if let Some(facts) = &mut self.facts {
            facts.bytes = bytes;
        }
        self.complete();
    }

    pub(crate) fn complete(mut self) {
        self.end(Ending::Complete, None);
    }

    pub(crate) fn fail(mut self, error: ErrorType) {
        self.end(Ending::Failed, Some(error));
    }

    fn end(&mut self, ending: Ending, error: Option<ErrorType>) {
        if let Some(facts) = self.facts.take() {
            facts.end_body(ending, error, Instant::now());
        }
    }
}

impl Drop for BodyWatch {
    fn drop(&mut self) {
        let error = Some(ErrorType::CANCELLED);
        self.end(Ending::Abandoned, error);
    }
}

impl Facts {
    #[inline]
    fn start(&self) {
        let (cells, owned) = self.host.cells();
        // The host is busy once its common counters are; those of a thread are no news.
        if cells.start(self.scope, owned) && !owned {
            self.host.host().part_threads();
        }
        self.tell(|record| record.record(&Event::Started(self.exchange(None))));
    }

    /// Counts the end, and that of the body where so many bytes have come with the head.
    fn end(&self, class: Class, error: Option<ErrorType>, body: Option<u64>, now: Instant) {
        let elapsed = now.saturating_duration_since(self.started);
        let took = Took::of(elapsed);
        let request_bytes = (self.bytes != UNKNOWN).then_some(self.bytes);
        // Of a request that got no answer it is not known how much of its body went out.
        let sent = self.status.and(request_bytes).unwrap_or(0);
        let (cells, owned) = self.host.cells();
        match body {
            None => cells.end(self.scope, class, took, sent, owned),
            Some(bytes) => cells.end_whole(self.scope, class, took, (sent, bytes), owned),
        }
        self.tell(|record| {
            let ended = Event::Ended {
                exchange: self.exchange(error),
                elapsed,
                request_bytes,
            };
            let Some(bytes) = body else {
                return record.record(&ended);
            };
            let body_ended = Event::BodyEnded {
                exchange: self.exchange(None),
                elapsed,
                bytes,
            };
            record.record_whole(&ended, &body_ended);
        });
    }

    fn end_body(&self, ending: Ending, error: Option<ErrorType>, now: Instant) {
        let elapsed = now.saturating_duration_since(self.started);
        let (cells, owned) = self.host.cells();
        let bytes = self.bytes;
        cells.end_body(self.scope, ending, Took::of(elapsed), bytes, owned);
        self.tell(|record| {
            record.record(&Event::BodyEnded {
                exchange: self.exchange(error),
                elapsed,
                bytes,
            });
        });
    }

    #[cold]
    fn count_error(&self, error: ErrorType) {
        self.host.host().rare().count_error(self.scope, error);
    }

    #[inline]
    fn tell(&self, tell: impl FnOnce(&dyn HostRecord)) {
        self.host.host().tell_with(tell);
    }

    #[inline]
    fn exchange(&self, error: Option<ErrorType>) -> Exchange<'_> {
        Exchange {
            scope: self.scope,
            method: self.host.host().settings.methods.name(self.method),
            status: self.status,
            error,
            template: self.template,
            method_number: self.method,
            lane: self.host.slot(),
        }
    }
}
