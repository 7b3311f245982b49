//! The stage in which hyper has the request.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONTENT_LENGTH, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use standpipe_core::{Body, Deadline, Error, ErrorKind, Phase, RequestSent};
use tokio::time::{Instant, Sleep};

use super::future::{Outgoing, Terms, poll_clock, too_late};
use super::hold::Hold;
use super::lease::Lease;
use super::receive::{ReceiveBody, Upload};
use super::request::{self, Taken};
use super::{SendBody, expect, fault, keep_alive};
use crate::conn::{Channel, Fault, SendResult};
use crate::pool::OriginPool;

/// How often a request that hyper gave back unsent goes out on another connection. Each time costs
/// one pooled connection that had died unnoticed, so the bound matters only where a peer closes
/// connections faster than they are made.
const MAX_RESENDS: u32 = 64;

/// How many heads' lengths of bytes may come before the last head is complete: a server may send any
/// number of informational answers (RFC 9110, 15.2), which hyper skips one by one.
const HEADS: u64 = 16;

/// What may be read besides together with the last head: more than hyper's largest read.
const READ_AHEAD: u64 = 512 * 1024;

/// A request that hyper has taken, and its lease.
#[derive(Debug)]
pub(super) struct Accepted {
    lease: Lease,
    taken: Option<Taken>,
    hold: Option<Arc<Hold>>,
    asked: Asked,
    terms: Terms,
    patience: Patience,
}

/// What a request asked for beyond an answer.
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// A tunnel.
    connect: bool,
    /// Another protocol.
    upgrade: bool,
}

impl Asked {
    #[inline]
    fn of(head: &Parts) -> Self {
        Self {
            connect: head.method == Method::CONNECT,
            upgrade: !head.headers.is_empty() && head.headers.contains_key(UPGRADE),
        }
    }
}

/// How long the head is waited for.
#[derive(Clone, Copy, Debug)]
enum Patience {
    /// Not asked yet: it begins with the first wait.
    Unset,
    Endless,
    /// The connection's driver rings.
    Alarm(Instant),
    /// The driver has ended, the exchange has not: the future's own timer rings.
    Timer(Instant),
}

impl Accepted {
    /// Hands the request to hyper.
    #[inline]
    pub(super) fn send(
        pool: Arc<OriginPool>,
        channel: Channel,
        mut head: Parts,
        body: Body,
        terms: Terms,
    ) -> Self {
        let mut lease = Lease::new(channel, pool);
        let asked = Asked::of(&head);
        let key = &lease.pool().key;
        let (origin, forward) = (key.origin(), key.route().forward());
        let taken = request::prepare(&mut head, &body, origin, forward, lease.is_shared());
        let gated = !body.is_end_stream() && !lease.is_shared() && expect::is_asked_for(&head);
        let hold = if gated {
            let limit = lease.pool().config.http1.expect_continue_timeout;
            Some(Arc::new(Hold::gated(limit)))
        } else {
            (!body.is_buffered()).then(Arc::<Hold>::default)
        };
        let body = SendBody::new(body, terms.declared, hold.clone());
        if let Some(hold) = hold.as_ref().filter(|_| gated) {
            head = expect::heed_answers(head, hold);
        }
        if !lease.is_shared() {
            let head = lease.pool().config.http1.max_head_size as u64;
            let budget = head.saturating_mul(HEADS).saturating_add(READ_AHEAD);
            lease.meta().begin_head(budget);
        }
        lease.send(Request::from_parts(head, body));
        Self {
            lease,
            taken: Some(taken),
            hold,
            asked,
            terms,
            patience: Patience::Unset,
        }
    }

    /// hyper's answer.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SendResult> {
        let answer = self.lease.poll(cx);
        if answer.is_ready() {
            self.lease.disarm();
        }
        answer
    }

    /// Whether the wait for the head is over without one; `timer` is there for where the
    /// connection's driver has ended.
    pub(super) fn poll_patience(
        &mut self,
        timer: Pin<&mut Option<Sleep>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if let Patience::Unset = self.patience {
            self.patience = match self.until() {
                None => Patience::Endless,
                Some(until) if self.lease.set_alarm(until, cx) => Patience::Alarm(until),
                Some(until) => Patience::Timer(until),
            };
            if let Patience::Alarm(_) = self.patience {
                return Poll::Pending;
            }
        }
        if let Patience::Alarm(until) = self.patience {
            if self.lease.renew_alarm(cx) {
                return Poll::Pending;
            }
            if until <= Instant::now() {
                return Poll::Ready(());
            }
            self.patience = Patience::Timer(until);
        }
        match self.patience {
            Patience::Timer(until) => poll_clock(timer, || Some(until), cx),
            Patience::Unset | Patience::Endless | Patience::Alarm(_) => Poll::Pending,
        }
    }

    fn until(&self) -> Option<Instant> {
        let limit = self.lease.pool().config.timeouts.response_head;
        let limit = limit.map(Deadline::after);
        Deadline::earlier(limit, self.terms.deadline).map(Deadline::instant)
    }

    /// The clock has rung: the lease ends with this stage.
    pub(super) fn timed_out(&self) -> Error {
        self.lease.suspect();
        let pool = self.lease.pool();
        let passed = |deadline: Deadline| deadline.instant() <= Instant::now();
        if self.terms.deadline.is_some_and(passed) {
            return too_late(pool, RequestSent::Maybe);
        }
        let limit = pool.config.timeouts.response_head.unwrap_or_default();
        Error::new(ErrorKind::ResponseTimeout)
            .with_phase(Phase::Exchange)
            .with_message(format!("the limit is {limit:?}"))
            .with_origin(pool.key.origin().clone())
    }

    /// What is wrong with an answer that hyper lets pass: the lease ends with this stage.
    #[inline]
    pub(super) fn breach<B>(&self, response: &Response<B>) -> Option<Error> {
        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        (switched && !self.asked.upgrade && !self.lease.is_shared()).then(|| self.unasked_switch())
    }

    #[cold]
    fn unasked_switch(&self) -> Error {
        Error::new(ErrorKind::Protocol)
            .with_phase(Phase::Exchange)
            .with_request_sent(RequestSent::Yes)
            .with_message("it switched protocols unasked")
            .with_origin(self.lease.pool().key.origin().clone())
    }

    /// The head is there: the lease goes along with the body, or back where all has arrived.
    pub(super) fn deliver(
        &mut self,
        response: Response<Incoming>,
        cx: &mut Context<'_>,
    ) -> Response<Body> {
        let lease = &mut self.lease;
        lease.meta().end_head();
        let status = response.status();
        let info = lease.meta().info(lease.uses_before());
        let (head, incoming) = response.into_parts();
        let upgraded = status == StatusCode::SWITCHING_PROTOCOLS
            || (self.asked.connect && status.is_success());
        if self.asked.connect && !lease.is_shared() {
            // A tunnel, or the refusal of one: what the peer takes the next bytes for is uncertain.
            lease.meta().retire();
        }
        if !lease.is_shared() && has_two_lengths(&head.headers, &incoming) {
            lease.meta().retire();
        }
        if lease.uses_before() == 0 && !lease.is_shared() {
            // Servers say the same each time, so that the others need not be searched for it.
            keep_alive::learn(lease.meta(), &head.headers);
        }
        let mut rest = None;
        if upgraded && !lease.is_shared() {
            lease.detach();
        } else if !lease.is_shared() && lease.is_ready() {
            // hyper takes the next request only when this exchange is over, so all of the body
            // is with us already.
            lease.finish();
        } else {
            rest = Some(lease.take());
        }
        let mut body = if rest.is_none() && incoming.is_end_stream() {
            Body::empty()
        } else {
            let idle_timeout = self.lease.pool().config.timeouts.body_idle;
            let upload = self.hold.take().map(|hold| Upload {
                refused: hold.gate().is_some_and(|gate| gate.decide(status))
                    || status.is_client_error()
                    || status.is_server_error(),
                hold,
            });
            Body::poll_new(ReceiveBody::new(incoming, rest, upload, idle_timeout), cx)
        };
        body.set_connection_info(Some(info));
        Response::from_parts(head, body)
    }

    /// What goes out again where hyper gave the request back; else the error.
    pub(super) fn failed(
        mut self,
        mut error: TrySendError<Request<SendBody>>,
    ) -> Result<(Arc<OriginPool>, Outgoing), Error> {
        let (Some(request), Some(taken)) = (error.take_message(), self.taken.take()) else {
            let upload = self.hold.and_then(|hold| hold.fault());
            let error = fault::of_exchange(error.into_error(), upload, &self.lease);
            self.lease.fail();
            return Err(error);
        };
        let Self { lease, terms, .. } = self;
        let pool = Arc::clone(lease.pool());
        // After a shutdown the pool refuses it, with the error that tells why.
        let again = lease.uses_before() > 0 || lease.meta().fault() == Fault::Shutdown;
        lease.fail();
        if !again || terms.resends >= MAX_RESENDS {
            return Err(Error::new(ErrorKind::ConnectionClosed)
                .with_phase(Phase::Exchange)
                .with_request_sent(RequestSent::No)
                .with_message("the connection closed before the request was sent")
                .with_source(error.into_error())
                .with_origin(pool.key.origin().clone()));
        }
        pool.counters.resent();
        let (mut head, body) = request.into_parts();
        request::restore(&mut head, taken);
        let (body, declared) = body.into_parts();
        let terms = Terms {
            declared,
            deadline: terms.deadline,
            resends: terms.resends + 1,
        };
        Ok((pool, Outgoing { head, body, terms }))
    }
}

/// Whether the head gives a length that is not what ended the body: the encoding counts, and whoever
/// sent both is not to be trusted with another request (RFC 9112, 6.3).
#[inline]
fn has_two_lengths(headers: &HeaderMap, body: &Incoming) -> bool {
    body.size_hint().exact().is_none() && headers.contains_key(CONTENT_LENGTH)
}
