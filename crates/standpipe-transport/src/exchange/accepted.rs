//! The stage in which hyper has the request.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use standpipe_core::{Body, Deadline, Error, ErrorKind, Phase, RequestSent};
use tokio::time::{Instant, Sleep};

use super::future::{Outgoing, poll_clock, too_late};
use super::lease::{Hold, Lease};
use super::receive::{ReceiveBody, Upload};
use super::request::{self, Taken};
use super::{SendBody, fault};
use crate::conn::{Channel, SendResult};
use crate::pool::OriginPool;

/// How often a request that hyper gave back unsent goes out on another connection. Each time costs
/// one pooled connection that had died unnoticed, so the bound matters only where a peer closes
/// connections faster than they are made.
const MAX_RESENDS: u32 = 64;

/// A request that hyper has taken, and its lease.
#[derive(Debug)]
pub(super) struct Accepted {
    lease: Lease,
    taken: Taken,
    hold: Option<Arc<Hold>>,
    connect: bool,
    deadline: Option<Deadline>,
    resends: u32,
    patience: Patience,
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
    pub(super) fn send(pool: Arc<OriginPool>, channel: Channel, outgoing: Outgoing) -> Self {
        let Outgoing {
            request,
            declared,
            deadline,
            resends,
        } = outgoing;
        let mut lease = Lease::new(channel, pool);
        let shared = lease.is_shared();
        let hold = (!request.body().is_buffered()).then(Arc::<Hold>::default);
        let connect = *request.method() == Method::CONNECT;
        let key = &lease.pool().key;
        let (origin, forward) = (key.origin(), key.route().forward());
        let (request, taken) =
            request::prepare(request, origin, forward, shared, declared, hold.clone());
        lease.send(request);
        Self {
            lease,
            taken,
            hold,
            connect,
            deadline,
            resends,
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
        Deadline::earlier(limit, self.deadline).map(Deadline::instant)
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

    /// The head is there: the lease goes along with the body, or back where all has arrived.
    pub(super) fn deliver(
        self,
        response: Response<Incoming>,
        cx: &mut Context<'_>,
    ) -> Response<Body> {
        let Self {
            lease,
            hold,
            connect,
            ..
        } = self;
        let status = response.status();
        let info = lease.meta().info(lease.uses_before());
        let idle_timeout = lease.pool().config.timeouts.body_idle;
        let upgraded =
            status == StatusCode::SWITCHING_PROTOCOLS || (connect && status.is_success());
        let (head, incoming) = response.into_parts();
        let lease = if upgraded && !lease.is_shared() {
            lease.detach();
            None
        } else if !lease.is_shared() && lease.is_ready() {
            // hyper takes the next request only when this exchange is over, so all of the body
            // is with us already.
            lease.finish();
            None
        } else {
            Some(lease)
        };
        let ended = lease.is_none() && incoming.is_end_stream();
        let mut body = if ended {
            Body::empty()
        } else {
            let upload = hold.map(|hold| Upload {
                hold,
                refused: status.is_client_error() || status.is_server_error(),
            });
            Body::poll_new(ReceiveBody::new(incoming, lease, upload, idle_timeout), cx)
        };
        body.set_connection_info(Some(info));
        Response::from_parts(head, body)
    }

    /// What goes out again where hyper gave the request back; else the error.
    pub(super) fn failed(
        self,
        mut error: TrySendError<Request<SendBody>>,
    ) -> Result<(Arc<OriginPool>, Outgoing), Error> {
        let Some(request) = error.take_message() else {
            return Err(fault::of_exchange(error.into_error(), &self.lease));
        };
        let Self {
            lease,
            taken,
            deadline,
            resends,
            ..
        } = self;
        let pool = Arc::clone(lease.pool());
        let reused = lease.uses_before() > 0;
        drop(lease);
        if !reused || resends >= MAX_RESENDS {
            return Err(Error::new(ErrorKind::ConnectionClosed)
                .with_phase(Phase::Exchange)
                .with_request_sent(RequestSent::No)
                .with_message("the connection closed before the request was sent")
                .with_source(error.into_error())
                .with_origin(pool.key.origin().clone()));
        }
        pool.counters.resent();
        let (request, declared) = request::restore(request, taken);
        let outgoing = Outgoing {
            request,
            declared,
            deadline,
            resends: resends + 1,
        };
        Ok((pool, outgoing))
    }
}
