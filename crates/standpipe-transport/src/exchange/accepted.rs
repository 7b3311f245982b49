//! The stage in which hyper has the request.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use standpipe_core::{Body, Deadline, Error, ErrorKind, Phase, RequestSent};
use tokio::time::Instant;

use super::future::{Clock, Outgoing, Terms, poll_clock, too_late};
use super::hold::Hold;
use super::lease::Lease;
use super::receive::{self, Upload};
use super::request::{self, Taken};
use super::{SendBody, expect, fault, keep_alive};
use crate::conn::{Channel, Fault, SendResult};
use crate::pool::OriginPool;

/// How often a request that hyper gave back unsent goes out on another connection. Each time costs
/// one pooled connection that had died unnoticed, so the bound matters only where a peer closes
/// connections faster than they are made.
const MAX_RESENDS: u8 = 64;

/// How many heads' lengths of bytes may come before the last head is complete: a server may send any
/// number of informational answers (RFC 9110, 15.2), which hyper skips one by one.
const HEADS: u64 = 16;

/// What may be read besides together with the last head: more than hyper's largest read.
const READ_AHEAD: u64 = 512 * 1024;

/// A request that hyper has taken, and its lease.
#[derive(Debug)]
pub(super) struct Accepted {
    lease: Lease,
    hold: Option<Arc<Hold>>,
    deadline: Option<Deadline>,
    patience: Patience,
    taken: Taken,
    asked: Asked,
    resends: u8,
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
    fn of<B>(request: &Request<B>) -> Self {
        let headers = request.headers();
        Self {
            connect: *request.method() == Method::CONNECT,
            upgrade: !headers.is_empty() && headers.contains_key(UPGRADE),
        }
    }
}

/// How long the head is waited for.
#[derive(Clone, Copy, Debug)]
enum Patience {
    /// Not asked yet: it begins with the first wait.
    Unset,
    /// The connection's driver rings.
    Alarm(Instant),
    /// The driver has ended, the exchange has not: the future's own timer rings.
    Timer(Instant),
}

impl Accepted {
    /// Hands the request to hyper.
    pub(super) fn send(pool: Arc<OriginPool>, channel: Channel, outgoing: &mut Outgoing) -> Self {
        let Outgoing {
            request: parcel,
            body,
            terms,
        } = outgoing;
        let request = parcel.as_mut().expect("a request that was not sent");
        let mut lease = Lease::new(channel, pool);
        let shared = lease.is_shared();
        let asked = Asked::of(request);
        let key = &lease.pool().key;
        let (origin, forward) = (key.origin(), key.route().forward());
        let taken = request::prepare(request, body, origin, forward, shared);
        let mut hold = None;
        if !(body.is_buffered() && body.is_end_stream()) {
            let limit = lease.pool().config.http1.expect_continue_timeout;
            hold = give_body(request, std::mem::take(body), terms.declared, limit);
        }
        if !shared {
            let head = lease.pool().config.http1.max_head_size as u64;
            let budget = head.saturating_mul(HEADS).saturating_add(READ_AHEAD);
            lease.meta().traffic.begin_head(budget);
        }
        lease.send(parcel);
        Self {
            lease,
            hold,
            deadline: terms.deadline,
            patience: Patience::Unset,
            taken,
            asked,
            resends: terms.resends,
        }
    }

    /// hyper's answer.
    #[inline]
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SendResult> {
        self.lease.poll(cx)
    }

    /// Whether the wait for the head is over without one; `timer` is there for where the
    /// connection's driver has ended.
    pub(super) fn poll_patience(&mut self, timer: &mut Clock, cx: &mut Context<'_>) -> Poll<()> {
        if let Patience::Unset = self.patience {
            let until = self.until();
            if self.lease.set_alarm(until, cx) {
                self.patience = Patience::Alarm(until);
                return Poll::Pending;
            }
            return self.poll_alone(until, timer, cx);
        }
        match self.patience {
            Patience::Alarm(_) if self.lease.renew_alarm(cx) => Poll::Pending,
            Patience::Alarm(until) if until <= Instant::now() => Poll::Ready(()),
            Patience::Alarm(until) => self.poll_alone(until, timer, cx),
            Patience::Timer(until) => poll_clock(timer, || Some(until), cx),
            Patience::Unset => Poll::Pending,
        }
    }

    /// The connection's driver has ended, the exchange perhaps has not.
    #[cold]
    fn poll_alone(&mut self, until: Instant, timer: &mut Clock, cx: &mut Context<'_>) -> Poll<()> {
        self.patience = Patience::Timer(until);
        self.lease.driver_ended();
        poll_clock(timer, || Some(until), cx)
    }

    /// When the wait for the head is over. One without a limit has an alarm as well: it rings when the
    /// driver ends.
    fn until(&self) -> Instant {
        let limit = self.lease.pool().config.timeouts.response_head;
        let limit = Deadline::after(limit.unwrap_or(Duration::MAX));
        self.deadline.map_or(limit, |at| at.min(limit)).instant()
    }

    /// The clock has rung: the lease ends with this stage.
    pub(super) fn timed_out(&self) -> Error {
        self.lease.suspect();
        let pool = self.lease.pool();
        let passed = |deadline: Deadline| deadline.instant() <= Instant::now();
        if self.deadline.is_some_and(passed) {
            return too_late(pool, RequestSent::Maybe);
        }
        let limit = pool.config.timeouts.response_head.unwrap_or_default();
        Error::new(ErrorKind::ResponseTimeout)
            .with_phase(Phase::Exchange)
            .with_message(format!("the limit is {limit:?}"))
            .with_origin(pool.key.origin().clone())
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
    ///
    /// An error, with which the lease ends, is what hyper lets pass and should not.
    #[inline]
    pub(super) fn deliver(
        &mut self,
        response: Response<Incoming>,
        cx: &mut Context<'_>,
    ) -> Result<Response<Body>, Error> {
        self.lease.disarm();
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS
            && !self.asked.upgrade
            && !self.lease.is_shared()
        {
            return Err(self.unasked_switch());
        }
        let lease = &mut self.lease;
        lease.meta().traffic.end_head();
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
        if upgraded && !lease.is_shared() {
            lease.detach();
        }
        let upload = self.hold.take().map(|hold| Upload {
            refused: hold.gate().is_some_and(|gate| gate.decide(status))
                || status.is_client_error()
                || status.is_server_error(),
            hold,
        });
        let mut body = receive::body(incoming, lease, upload, cx);
        body.set_connection_info(Some(info));
        Ok(Response::from_parts(head, body))
    }

    /// What goes out again where hyper gave the request back; else the error.
    pub(super) fn failed(
        mut self,
        mut error: TrySendError<Request<SendBody>>,
    ) -> Result<(Arc<OriginPool>, Outgoing), Error> {
        self.lease.disarm();
        let Some(mut request) = error.take_message() else {
            let upload = self.hold.and_then(|hold| hold.fault());
            let error = fault::of_exchange(error.into_error(), upload, &self.lease);
            self.lease.fail();
            return Err(error);
        };
        let lease = self.lease;
        let pool = Arc::clone(lease.pool());
        // After a shutdown the pool refuses it, with the error that tells why.
        let again = lease.uses_before() > 0 || lease.meta().fault.get() == Fault::Shutdown;
        lease.fail();
        if !again || self.resends >= MAX_RESENDS {
            return Err(Error::new(ErrorKind::ConnectionClosed)
                .with_phase(Phase::Exchange)
                .with_request_sent(RequestSent::No)
                .with_message("the connection closed before the request was sent")
                .with_source(error.into_error())
                .with_origin(pool.key.origin().clone()));
        }
        pool.counters.resent();
        request::restore(&mut request, self.taken);
        let (body, declared) = std::mem::take(request.body_mut()).into_parts();
        let terms = Terms {
            declared,
            deadline: self.deadline,
            resends: self.resends + 1,
        };
        let outgoing = Outgoing {
            request: Some(request),
            body,
            terms,
        };
        Ok((pool, outgoing))
    }
}

/// Puts a body that is not empty into its request; gives what one that streams shares with the rest of
/// its exchange. `limit` is how long it waits for the server's leave, where the caller asked for that.
fn give_body(
    request: &mut Request<SendBody>,
    body: Body,
    declared: Option<u64>,
    limit: Duration,
) -> Option<Arc<Hold>> {
    // What is sent as HTTP/2 says so in its version, and never asks.
    let hold = if !body.is_end_stream() && expect::is_asked_for(request) {
        let hold = Arc::new(Hold::gated(limit));
        expect::heed_answers(request, &hold);
        Some(hold)
    } else {
        (!body.is_buffered()).then(Arc::<Hold>::default)
    };
    *request.body_mut() = SendBody::new(body, declared, hold.clone());
    hold
}

/// Whether the head gives a length that is not what ended the body: the encoding counts, and whoever
/// sent both is not to be trusted with another request (RFC 9112, 6.3).
#[inline]
fn has_two_lengths(headers: &HeaderMap, body: &Incoming) -> bool {
    body.size_hint().exact().is_none() && headers.contains_key(CONTENT_LENGTH)
}
