use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use pin_project_lite::pin_project;
use standpipe_core::queue::Ticket;
use standpipe_core::{Body, BoxError, Deadline, Error, ErrorKind, Phase, RequestSent};
use tokio::time::{Instant, Sleep};

use super::lease::{Hold, Lease};
use super::receive::{ReceiveBody, Upload};
use super::request::{self, Taken};
use super::{SendBody, fault};
use crate::conn::{Channel, Fault};
use crate::pool::OriginPool;

/// How often a request that hyper gave back unsent goes out on another connection. Each time costs
/// one pooled connection that had died unnoticed, so the bound matters only where a peer closes
/// connections faster than they are made.
const MAX_RESENDS: u32 = 64;

pin_project! {
    /// The future of the transport.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits for a connection, it leaves the queue, and what it was granted serves
    /// the next one; dropped later, it closes its HTTP/1.1 connection or resets its HTTP/2 stream.
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct ResponseFuture {
        stage: Stage,
        // One clock for the stage at hand, made when it first has to wait.
        #[pin]
        clock: Option<Sleep>,
    }
}

/// The stages of ARCHITECTURE.md's table that last: "selected" and "returned unsent" are passed
/// within one poll.
#[derive(Debug)]
enum Stage {
    Acquiring(Box<Acquiring>),
    Accepted(Accepted),
    Ended(Option<Error>),
}

#[derive(Debug)]
struct Acquiring {
    // The place before the request: it is given up first.
    place: Place,
    request: Request<Body>,
    declared: Option<u64>,
    began: Instant,
    deadline: Option<Deadline>,
    resends: u32,
}

/// A place in the queue, given up by its drop.
#[derive(Debug)]
struct Place {
    pool: Arc<OriginPool>,
    ticket: Ticket,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pool.leave(self.ticket);
    }
}

#[derive(Debug)]
struct Accepted {
    lease: Lease,
    taken: Taken,
    hold: Option<Arc<Hold>>,
    connect: bool,
    deadline: Option<Deadline>,
    resends: u32,
}

/// A request on its way to a connection.
struct Outgoing {
    request: Request<Body>,
    declared: Option<u64>,
    deadline: Option<Deadline>,
    resends: u32,
}

impl ResponseFuture {
    pub(crate) fn new(pool: &Arc<OriginPool>, request: Request<Body>) -> Self {
        let stage = match request::check(&request) {
            Err(error) => Stage::Ended(Some(error.with_origin(pool.key.origin().clone()))),
            Ok(declared) => {
                let deadline = request.body().deadline();
                Stage::begin(
                    pool,
                    Outgoing {
                        request,
                        declared,
                        deadline,
                        resends: 0,
                    },
                )
            }
        };
        Self { stage, clock: None }
    }

    pub(crate) fn failed(error: Error) -> Self {
        Self {
            stage: Stage::Ended(Some(error)),
            clock: None,
        }
    }
}

impl Stage {
    /// On to a connection that is free, or into the queue.
    fn begin(pool: &Arc<OriginPool>, outgoing: Outgoing) -> Self {
        if let Some(channel) = pool.checkout() {
            return Self::send(Arc::clone(pool), channel, outgoing);
        }
        let began = Instant::now();
        if outgoing.deadline.is_some_and(|at| at.instant() <= began) {
            return Self::Ended(Some(too_late(pool, RequestSent::No)));
        }
        match pool.join(began) {
            Err(error) => Self::Ended(Some(error)),
            Ok(ticket) => Self::Acquiring(Box::new(Acquiring {
                place: Place {
                    pool: Arc::clone(pool),
                    ticket,
                },
                request: outgoing.request,
                declared: outgoing.declared,
                began,
                deadline: outgoing.deadline,
                resends: outgoing.resends,
            })),
        }
    }

    fn send(pool: Arc<OriginPool>, channel: Channel, outgoing: Outgoing) -> Self {
        let mut lease = Lease::new(channel, pool);
        let shared = lease.is_shared();
        let uploads = !outgoing.request.body().is_buffered();
        let hold = uploads.then(Arc::<Hold>::default);
        let connect = *outgoing.request.method() == Method::CONNECT;
        let (request, taken) = request::prepare(
            outgoing.request,
            lease.pool().key.origin(),
            shared,
            outgoing.declared,
            hold.clone(),
        );
        lease.send(request);
        Self::Accepted(Accepted {
            lease,
            taken,
            hold,
            connect,
            deadline: outgoing.deadline,
            resends: outgoing.resends,
        })
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.stage {
                Stage::Acquiring(waiting) => {
                    let granted = match waiting.poll(cx) {
                        Poll::Ready(granted) => granted,
                        Poll::Pending => {
                            let until = || waiting.until();
                            ready!(poll_clock(this.clock.as_mut(), until, cx));
                            Err(waiting.timed_out())
                        }
                    };
                    this.clock.set(None);
                    let acquiring = std::mem::replace(this.stage, Stage::Ended(None));
                    match granted {
                        Err(error) => return Poll::Ready(Err(error.into())),
                        Ok(channel) => *this.stage = acquiring.proceed(channel),
                    }
                }
                Stage::Accepted(accepted) => {
                    let answer = match accepted.lease.poll(cx) {
                        Poll::Ready(answer) => answer,
                        Poll::Pending => {
                            let until = || accepted.until();
                            ready!(poll_clock(this.clock.as_mut(), until, cx));
                            let error = accepted.timed_out();
                            *this.stage = Stage::Ended(None);
                            return Poll::Ready(Err(error.into()));
                        }
                    };
                    this.clock.set(None);
                    let stage = std::mem::replace(this.stage, Stage::Ended(None));
                    let Stage::Accepted(accepted) = stage else {
                        return Poll::Pending;
                    };
                    match answer {
                        Ok(response) => return Poll::Ready(Ok(accepted.deliver(response, cx))),
                        Err(error) => match accepted.failed(error) {
                            Ok(again) => *this.stage = again,
                            Err(error) => return Poll::Ready(Err(error.into())),
                        },
                    }
                }
                Stage::Ended(error) => {
                    let error = error.take().unwrap_or_else(|| {
                        Error::new(ErrorKind::Other).with_message("polled after completion")
                    });
                    return Poll::Ready(Err(error.into()));
                }
            }
        }
    }
}

impl Stage {
    /// Acquiring => Accepted, with the connection that was granted.
    fn proceed(self, channel: Channel) -> Self {
        match self {
            Self::Acquiring(acquiring) => {
                let pool = Arc::clone(&acquiring.place.pool);
                pool.waited(acquiring.began.elapsed());
                let outgoing = acquiring.into_outgoing();
                Self::send(pool, channel, outgoing)
            }
            other => other,
        }
    }
}

impl Acquiring {
    fn poll(&self, cx: &Context<'_>) -> Poll<Result<Channel, Error>> {
        self.place.pool.poll_waiter(self.place.ticket, cx)
    }

    fn until(&self) -> Option<Instant> {
        let limit = self.place.pool.config.timeouts.acquire;
        let limit = limit.map(|limit| Deadline::after_instant(self.began, limit));
        Deadline::earlier(limit, self.deadline).map(Deadline::instant)
    }

    fn timed_out(&self) -> Error {
        let pool = &self.place.pool;
        let waited = self.began.elapsed();
        if pool
            .config
            .timeouts
            .acquire
            .is_some_and(|limit| waited >= limit)
        {
            pool.acquire_timeout(waited)
        } else {
            too_late(pool, RequestSent::No)
        }
    }

    fn into_outgoing(self) -> Outgoing {
        Outgoing {
            request: self.request,
            declared: self.declared,
            deadline: self.deadline,
            resends: self.resends,
        }
    }
}

impl Accepted {
    fn head_timeout(&self) -> Option<Duration> {
        self.lease.pool().config.timeouts.response_head
    }

    /// When to give up, asked once, when the wait for the head begins.
    fn until(&self) -> Option<Instant> {
        let limit = self.head_timeout().map(Deadline::after);
        Deadline::earlier(limit, self.deadline).map(Deadline::instant)
    }

    /// The clock has rung: the lease ends with this stage.
    fn timed_out(&self) -> Error {
        self.lease.suspect();
        let pool = self.lease.pool();
        let passed = |deadline: Deadline| deadline.instant() <= Instant::now();
        if self.deadline.is_some_and(passed) {
            return too_late(pool, RequestSent::Maybe);
        }
        Error::new(ErrorKind::ResponseTimeout)
            .with_phase(Phase::Exchange)
            .with_message(format!(
                "the limit is {:?}",
                self.head_timeout().unwrap_or_default()
            ))
            .with_origin(pool.key.origin().clone())
    }

    /// The head is there: the lease goes along with the body, or back where all has arrived.
    fn deliver(self, response: Response<Incoming>, cx: &mut Context<'_>) -> Response<Body> {
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
        let ended = incoming.is_end_stream() && lease.is_none();
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

    /// Accepted => Acquiring or Accepted where hyper gave the request back; else the error.
    fn failed(self, mut error: TrySendError<Request<SendBody>>) -> Result<Stage, Error> {
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
        // After a shutdown the pool refuses it, with the error that tells why.
        let again = lease.uses_before() > 0 || lease.meta().fault() == Fault::Shutdown;
        drop(lease);
        if !again || resends >= MAX_RESENDS {
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
        Ok(Stage::begin(&pool, outgoing))
    }
}

fn too_late(pool: &OriginPool, sent: RequestSent) -> Error {
    Error::new(ErrorKind::DeadlineExceeded)
        .with_phase(if sent == RequestSent::No {
            Phase::Acquire
        } else {
            Phase::Exchange
        })
        .with_request_sent(sent)
        .with_origin(pool.key.origin().clone())
}

/// Polls the stage's clock, which is set at the first call; without a time it never rings.
fn poll_clock(
    mut clock: Pin<&mut Option<Sleep>>,
    until: impl FnOnce() -> Option<Instant>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if clock.is_none() {
        let Some(until) = until() else {
            return Poll::Pending;
        };
        clock.set(Some(tokio::time::sleep_until(until)));
    }
    match clock.as_pin_mut() {
        Some(clock) => clock.poll(cx),
        None => Poll::Pending,
    }
}
