//! Sentences about the state machine of one origin, each on its own.

mod dials;
mod idle;
mod permits;
mod queue;
mod streams;
mod through;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use http::Request;
use http_body_util::{BodyExt, Full};
use standpipe_core::queue::{Ticket, WaitQueue};
use standpipe_core::{Body, Error, ErrorKind};
use standpipe_test::{Server, memory::Network};
use tokio::time::{Duration, Instant};
use tower::ServiceExt;

use super::effects::Effects;
use super::fake::{Fake, Link, Look, Woken};
use super::state::{DialTag, Limits, Sharing, State, Sweep};
use crate::{TlsConfig, Transport};

const LIMITS: Limits = Limits {
    connections: 10,
    idle: 10,
    waiting: 10,
    min_idle: 0,
};

const MS: Duration = Duration::from_millis(1);

/// One origin with as many permits as it asks for.
struct Rig {
    state: State<Fake, ()>,
    now: Instant,
    links: u64,
    /// Connections that were closed, by number.
    closed: Vec<u64>,
    released: usize,
    idle: isize,
    /// Dials under way, the latest last.
    dials: Vec<DialTag>,
}

struct Waiter {
    ticket: Ticket,
    woken: Arc<Woken>,
}

impl Rig {
    fn new(limits: Limits, sharing: Sharing) -> Self {
        Self {
            state: State::new(limits, sharing),
            now: Instant::now(),
            links: 0,
            closed: Vec::new(),
            released: 0,
            idle: 0,
            dials: Vec::new(),
        }
    }

    fn with_connections(connections: usize, sharing: Sharing) -> Self {
        let limits = Limits {
            connections,
            ..LIMITS
        };
        Self::new(limits, sharing)
    }

    /// An operation, and all its effects but the permits asked for; returns how many those are.
    fn without_permits(
        &mut self,
        operation: impl FnOnce(&mut State<Fake, ()>, Instant, &mut Effects<Fake, ()>),
    ) -> usize {
        let mut fx = Effects::default();
        operation(&mut self.state, self.now, &mut fx);
        self.carry_out(&mut fx);
        fx.ask
    }

    fn carry_out(&mut self, fx: &mut Effects<Fake, ()>) {
        for waker in fx.wake.drain(..) {
            waker.wake();
        }
        self.closed
            .extend(fx.close.drain(..).map(|handle| handle.link.id));
        self.released += fx.release.drain(..).count();
        self.idle += std::mem::take(&mut fx.idle_change);
    }

    /// An operation with all its effects: each permit that is asked for is there. Returns how many
    /// those were.
    fn run(
        &mut self,
        operation: impl FnOnce(&mut State<Fake, ()>, Instant, &mut Effects<Fake, ()>),
    ) -> usize {
        let asked = self.without_permits(operation);
        for _ in 0..asked {
            self.without_permits(|state, _, fx| state.permit_granted((), fx));
        }
        asked
    }

    fn join(&mut self) -> Waiter {
        let mut ticket = None;
        self.run(|state, now, fx| ticket = state.join(now, fx).ok());
        Waiter {
            ticket: ticket.expect("the queue has room"),
            woken: Woken::new(),
        }
    }

    fn look(&mut self, waiter: &Waiter) -> Look<()> {
        waiter.woken.look(&mut self.state, waiter.ticket)
    }

    /// The waiter was woken and is served.
    fn served(&mut self, waiter: &Waiter) -> Fake {
        assert!(waiter.woken.is_set(), "it was not woken");
        match self.look(waiter) {
            Look::Served(handle) => handle,
            other => panic!("not served: {other:?}"),
        }
    }

    fn begins_a_dial(&mut self, waiter: &Waiter) -> DialTag {
        assert!(waiter.woken.is_set(), "it was not woken");
        match self.look(waiter) {
            Look::Dial((), tag) => {
                self.dials.push(tag);
                tag
            }
            other => panic!("no dial: {other:?}"),
        }
    }

    fn waits(&mut self, waiter: &Waiter) {
        assert!(matches!(self.look(waiter), Look::Nothing));
    }

    fn fails(&mut self, waiter: &Waiter) {
        assert!(waiter.woken.is_set(), "it was not woken");
        assert!(matches!(self.look(waiter), Look::Failed(_)));
    }

    fn leave(&mut self, waiter: &Waiter) {
        self.run(|state, now, fx| state.leave(waiter.ticket, now, fx));
    }

    fn put_back(&mut self, handle: Fake) {
        self.run(|state, now, fx| state.put_back(handle, now, fx));
    }

    fn checkout(&mut self) -> Option<Fake> {
        let mut handle = None;
        self.run(|state, _, fx| handle = state.checkout(fx));
        handle
    }

    fn dialed(&mut self, sharing: Sharing) -> Arc<Link> {
        self.links += 1;
        let handle = Fake::new(self.links, sharing == Sharing::Shared);
        let link = Arc::clone(&handle.link);
        let tag = self.dials.pop().expect("a dial is under way");
        self.run(|state, now, fx| {
            state.dialed(handle, tag, sharing, now, fx);
        });
        link
    }

    /// A dial of which the IO goes first.
    fn dial_fails(&mut self, tag: DialTag) {
        self.dial_closes();
        self.run(|state, _, fx| state.dial_failed(refused(), tag, fx));
    }

    /// The IO of a dial goes.
    fn dial_closes(&mut self) {
        self.run(|state, _, fx| {
            state.slot_closed(None, fx);
        });
    }

    /// The IO of a connection goes.
    fn closes(&mut self, link: &Arc<Link>) {
        link.permit_gone();
        self.run(|state, _, fx| {
            state.slot_closed(Some(link), fx);
        });
    }

    /// A connection in use by the caller.
    fn lease(&mut self, sharing: Sharing) -> Fake {
        let waiter = self.join();
        self.begins_a_dial(&waiter);
        self.dialed(sharing);
        self.served(&waiter)
    }

    fn allows(&mut self, link: &Link, streams: usize) {
        link.read.fetch_add(1, SeqCst);
        self.run(|state, _, fx| state.set_stream_limit(link.id, streams, fx));
    }

    fn sweep(&mut self, id: u64) -> Sweep {
        let mut swept = None;
        self.run(|state, now, fx| swept = Some(state.sweep(id, 10 * MS, now, fx)));
        swept.expect("the operation has run")
    }
}

fn refused() -> Error {
    Error::new(ErrorKind::Connect)
}
