//! The stage of the models: origins under one limit, those who ask them for a connection, and what
//! must hold when all is over.

use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};

use ::loom::sync::{Condvar, Mutex};
use hyper_util::client::legacy::connect::HttpConnector;
use standpipe_core::queue::Ticket;
use standpipe_core::{Error, Origin};
use tokio::time::Instant;

use super::dial::{self, Begun};
use super::task::{self, Tasks};
use crate::config::{PoolLimits, Protocol};
use crate::conn::Channel;
use crate::events::Events;
use crate::key::DialConfig;
use crate::pool::state::StateTotals;
use crate::pool::{Counts, OriginPool, Shared};
use crate::{PoolEvents, TransportBuilder};

/// How connections are made: of no interest, and the same for all interleavings.
static CONFIGS: LazyLock<[Arc<DialConfig>; 2]> =
    LazyLock::new(|| [config(Protocol::Http1), config(Protocol::Http2)]);

fn config(protocol: Protocol) -> Arc<DialConfig> {
    // With a connector there is no shared lookup, whose lock belongs to one interleaving.
    let builder = TransportBuilder::default().connector(HttpConnector::new());
    let (_, config, _) = builder.protocol(protocol).into_parts();
    Arc::new(config)
}

/// Makes what all interleavings share.
pub(super) fn warm_up() {
    LazyLock::force(&CONFIGS);
}

/// All origins, and the tasks of their connections.
#[derive(Clone)]
pub(super) struct World {
    pub(super) shared: Arc<Shared>,
    pub(super) tasks: Arc<Tasks>,
    max_idle: usize,
}

/// One origin.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) pool: Arc<OriginPool>,
    pub(super) tasks: Arc<Tasks>,
    http2: bool,
}

/// A place in an origin's queue.
pub(super) struct Waiter {
    host: Host,
    ticket: Ticket,
}

/// How the dials of a waiter end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dials {
    Succeed,
    Fail,
}

impl World {
    pub(super) fn new(limits: &PoolLimits) -> Self {
        Self::with(limits, Events::default())
    }

    /// One connection to an origin, with somebody who is told of all that happens.
    pub(super) fn telling(hook: impl PoolEvents) -> Self {
        Self::with(&limits(1, None), Events::default().and(hook))
    }

    fn with(limits: &PoolLimits, events: Events) -> Self {
        dial::reset(limits);
        Self {
            shared: Arc::new(Shared::new(limits, events)),
            tasks: Arc::default(),
            max_idle: limits.max_idle,
        }
    }

    /// At most so many connections to an origin.
    pub(super) fn of_connections(per_host: usize) -> Self {
        Self::new(&limits(per_host, None))
    }

    /// At most so many connections to an origin, and in all.
    pub(super) fn of_total(per_host: usize, total: usize) -> Self {
        Self::new(&limits(per_host, Some(total)))
    }

    /// An origin that speaks HTTP/1.1.
    pub(super) fn host(&self, name: &str) -> Host {
        self.host_of(name, false)
    }

    /// An origin that speaks HTTP/2.
    pub(super) fn http2_host(&self, name: &str) -> Host {
        self.host_of(name, true)
    }

    fn host_of(&self, name: &str, http2: bool) -> Host {
        let origin = Origin::parse(name).expect("an origin");
        Host {
            pool: self.shared.pool(&origin, &CONFIGS[usize::from(http2)]),
            tasks: Arc::clone(&self.tasks),
            http2,
        }
    }

    /// All is over: nobody waits, nothing is in use, and the counts are those of what idles.
    pub(super) fn at_rest(&self, hosts: &[&Host]) {
        self.tasks.run();
        let mut all = 0;
        for host in hosts {
            let (counts, totals) = host.pool.figures();
            let busy = (counts.active, counts.dialing, counts.waiting);
            assert_eq!(busy, (0, 0, 0), "active, dialling, waiting");
            assert_eq!(counts.streams, 0);
            let living = host.pool.links().len() as u64;
            assert_eq!(totals.created, totals.closed.total() + living);
            all += counts.idle;
        }
        assert_eq!(self.shared.index.idle(), all, "the index counts what idles");
        assert_eq!(self.shared.total.usage().1, all, "permits in use");
        assert_eq!(dial::open(), all, "connections that exist");
        assert_eq!(self.shared.total.short(), 0);
        assert_eq!(self.shared.total.evicting(), 0);
        assert!(all <= self.max_idle, "more idle than may");
    }

    /// As [`at_rest`](World::at_rest); and when the connections end, their permits come back.
    pub(super) fn end(self, hosts: &[&Host]) {
        self.at_rest(hosts);
        self.tear_down();
    }

    pub(super) fn tear_down(self) {
        task::tear_down();
        assert_eq!(dial::open(), 0);
        assert_eq!(self.shared.total.usage().1, 0, "a permit was lost");
        assert!(self.shared.is_gone(), "a shutdown would wait for ever");
    }
}

pub(super) fn limits(per_host: usize, total: Option<usize>) -> PoolLimits {
    PoolLimits {
        max_connections_per_host: per_host,
        max_connections: total,
        max_idle_per_host: per_host,
        ..PoolLimits::default()
    }
}

impl Host {
    pub(super) fn counts(&self) -> Counts {
        self.pool.figures().0
    }

    pub(super) fn totals(&self) -> StateTotals {
        self.pool.figures().1
    }

    /// A connection if one is free; else a place in the queue.
    pub(super) fn ask(&self) -> Result<Channel, Waiter> {
        self.pool.checkout().ok_or_else(|| self.join())
    }

    pub(super) fn join(&self) -> Waiter {
        self.try_join().expect("a place in the queue")
    }

    pub(super) fn try_join(&self) -> Result<Waiter, Error> {
        let ticket = self.pool.join(Instant::now())?;
        self.tasks.run();
        Ok(Waiter {
            host: self.clone(),
            ticket,
        })
    }

    /// A connection, whatever it takes.
    pub(super) fn lease(&self) -> Channel {
        match self.ask() {
            Ok(channel) => channel,
            Err(waiter) => waiter.wait().expect("a connection"),
        }
    }

    pub(super) fn put_back(&self, channel: Channel) {
        self.pool.put_back(channel);
        self.tasks.run();
    }

    /// The lease ended before its answer did.
    pub(super) fn discard(&self, channel: Channel) {
        self.pool.discard(channel);
        self.tasks.run();
    }

    /// A request from its start to its end.
    pub(super) fn request(&self) {
        let channel = self.lease();
        self.put_back(channel);
    }

    /// A connection that idles.
    pub(super) fn with_idle(self) -> Self {
        self.request();
        self
    }
}

impl Waiter {
    /// Looks at its place, and has its dials begin.
    pub(super) fn look(&self, waker: &Waker) -> (Poll<Result<Channel, Error>>, Vec<Begun>) {
        let context = Context::from_waker(waker);
        let found = self.host.pool.poll_waiter(self.ticket, &context);
        (found, dial::begun())
    }

    /// Looks once, as one who is not woken.
    pub(super) fn look_once(&self) -> (Poll<Result<Channel, Error>>, Vec<Begun>) {
        self.look(Waker::noop())
    }

    /// Waits for its turn; all its dials succeed.
    pub(super) fn wait(self) -> Result<Channel, Error> {
        self.wait_with(Dials::Succeed)
    }

    pub(super) fn wait_with(self, dials: Dials) -> Result<Channel, Error> {
        let sleeper = Arc::new(Sleeper::default());
        let waker = Waker::from(Arc::clone(&sleeper));
        loop {
            let (found, begun) = self.look(&waker);
            for begun in begun {
                match dials {
                    Dials::Succeed => drop(begun.succeed(&self.host.tasks, self.host.http2)),
                    Dials::Fail => begun.fail(),
                }
            }
            self.host.tasks.run();
            match found {
                Poll::Ready(found) => return found,
                Poll::Pending => sleeper.sleep(),
            }
        }
    }

    /// Whether it came to the queue before `other`.
    pub(super) fn came_before(&self, other: &Self) -> bool {
        self.ticket.serial() < other.ticket.serial()
    }

    /// Goes away, as a response future does that is dropped.
    pub(super) fn leave(self) {
        self.host.pool.leave(self.ticket);
        self.host.tasks.run();
    }
}

/// Where a thread sleeps until it is woken. loom's own `park` forgets a wake-up that comes while the thread
/// waits for a lock.
#[derive(Default)]
pub(super) struct Sleeper {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Sleeper {
    pub(super) fn sleep(&self) {
        let mut woken = self.woken.lock().expect("no holder panics");
        while !*woken {
            woken = self.changed.wait(woken).expect("no holder panics");
        }
        *woken = false;
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().expect("no holder panics") = true;
        self.changed.notify_one();
    }
}
