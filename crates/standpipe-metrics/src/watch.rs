//! The decision: what is counted of a request, and when. Time is passed in.

use http::{Method, StatusCode};
use tokio::time::Instant;

use crate::count::{Class, Ending, nanos};
use crate::host::{Handle, Shared};
use crate::label::{ErrorType, UrlTemplate};
use crate::recorder::{Event, Exchange, Scope};

/// What is known of a request from its start.
#[derive(Debug)]
struct Facts {
    host: Handle,
    started: Instant,
    template: Option<&'static str>,
    /// [`UNKNOWN`] where it was not known beforehand.
    request_bytes: u64,
    method: u8,
    scope: Scope,
}

/// One word for an optional length: every byte of this is moved with the response.
const UNKNOWN: u64 = u64::MAX;

/// Watches a request up to its response head; dropped before, it counts the request as cancelled.
#[derive(Debug)]
pub(crate) struct Watch {
    facts: Option<Facts>,
}

/// Watches a response body; dropped before its end, it counts the body as abandoned.
#[derive(Debug)]
pub(crate) struct BodyWatch {
    facts: Option<Facts>,
    status: StatusCode,
    bytes: u64,
}

/// How much of a response body has come with its head.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arrived {
    /// All of it, so many bytes.
    All(u64),
    NotAll,
}

impl Watch {
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
            request_bytes: request_bytes.unwrap_or(UNKNOWN),
            method: host.settings.methods.find(method),
            scope,
            host,
        };
        let host = &*facts.host;
        let busy = host.count(|cells, owned| cells.start(scope, owned));
        if busy && !host.has_parted() {
            host.part_threads();
        }
        // Made first: if the recorder panicked through, the start would have its end.
        let watch = Self { facts: Some(facts) };
        if let Some(facts) = &watch.facts {
            facts.tell(None, None, Event::Started);
        }
        watch
    }

    /// The response head has come. Gives what watches the body, unless that is there already.
    pub(crate) fn head(
        mut self,
        status: StatusCode,
        arrived: Arrived,
        now: Instant,
    ) -> Option<BodyWatch> {
        let facts = self.facts.take()?;
        let end = End {
            class: Class::of(status),
            status: Some(status),
            error: None,
        };
        match arrived {
            Arrived::All(bytes) => {
                facts.end(&end, Some(bytes), now);
                None
            }
            Arrived::NotAll => {
                facts.end(&end, None, now);
                Some(BodyWatch {
                    facts: Some(facts),
                    status,
                    bytes: 0,
                })
            }
        }
    }

    /// The attempt's response came on a connection that had carried a request before.
    pub(crate) fn on_reused_connection(&self) {
        if let Some(facts) = &self.facts
            && facts.scope == Scope::Attempt
        {
            facts.host.count(|cells, owned| cells.reuse(owned));
        }
    }

    pub(crate) fn fail(mut self, error: ErrorType, now: Instant) {
        if let Some(facts) = self.facts.take() {
            facts.count_error(error);
            facts.end(&End::without_answer(Class::Error, error), None, now);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(facts) = self.facts.take() {
            let end = End::without_answer(Class::Cancelled, ErrorType::CANCELLED);
            facts.end(&end, None, Instant::now());
        }
    }
}

impl BodyWatch {
    /// So many bytes were put back, and will be seen again.
    pub(crate) fn unsaw(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes as u64);
    }

    pub(crate) fn saw(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// All of it is there, so many bytes, though not all were read.
    pub(crate) fn arrived(mut self, bytes: u64) {
        self.bytes = bytes;
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
            facts.end_body(ending, self.status, error, self.bytes, Instant::now());
        }
    }
}

impl Drop for BodyWatch {
    fn drop(&mut self) {
        let error = Some(ErrorType::CANCELLED);
        self.end(Ending::Abandoned, error);
    }
}

/// How a request came to its head, or did not.
struct End {
    class: Class,
    status: Option<StatusCode>,
    error: Option<ErrorType>,
}

impl End {
    fn without_answer(class: Class, error: ErrorType) -> Self {
        Self {
            class,
            status: None,
            error: Some(error),
        }
    }
}

impl Facts {
    /// Counts the end, and that of the body where so many bytes have come with the head.
    fn end(&self, end: &End, body: Option<u64>, now: Instant) {
        let elapsed = now.saturating_duration_since(self.started);
        let nanos = nanos(elapsed);
        let request_bytes = (self.request_bytes != UNKNOWN).then_some(self.request_bytes);
        // Of a request that got no answer it is not known how much of its body went out.
        let sent = end.status.and(request_bytes).unwrap_or(0);
        let scope = self.scope;
        self.host.count(|cells, owned| {
            cells.end(scope, end.class, nanos, sent, owned);
            if let Some(bytes) = body {
                cells.end_body(scope, Ending::Complete, nanos, bytes, owned);
            }
        });
        self.tell(end.status, end.error, |exchange| Event::Ended {
            exchange,
            elapsed,
            request_bytes,
        });
        if let Some(bytes) = body {
            self.tell(end.status, None, |exchange| Event::BodyEnded {
                exchange,
                elapsed,
                bytes,
            });
        }
    }

    fn end_body(
        &self,
        ending: Ending,
        status: StatusCode,
        error: Option<ErrorType>,
        bytes: u64,
        now: Instant,
    ) {
        let elapsed = now.saturating_duration_since(self.started);
        let nanos = nanos(elapsed);
        self.host.count(|cells, owned| {
            cells.end_body(self.scope, ending, nanos, bytes, owned);
        });
        self.tell(Some(status), error, |exchange| Event::BodyEnded {
            exchange,
            elapsed,
            bytes,
        });
    }

    #[cold]
    fn count_error(&self, error: ErrorType) {
        self.host.rare().count_error(self.scope, error);
    }

    #[inline]
    fn tell<'a>(
        &'a self,
        status: Option<StatusCode>,
        error: Option<ErrorType>,
        event: impl FnOnce(Exchange<'a>) -> Event<'a>,
    ) {
        let host: &Shared = &self.host;
        host.tell_with(|| {
            event(Exchange {
                scope: self.scope,
                method: host.settings.methods.name(self.method),
                status,
                error,
                template: self.template,
                method_number: self.method,
            })
        });
    }
}
