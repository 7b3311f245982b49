//! Sentences about the state machine of one origin, each on its own.

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
use super::state::{Limits, Sharing, State, Sweep};
use crate::{TlsConfig, Transport};

const LIMITS: Limits = Limits {
    connections: 10,
    idle: 10,
    waiting: 10,
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

    fn begins_a_dial(&mut self, waiter: &Waiter) -> u64 {
        assert!(waiter.woken.is_set(), "it was not woken");
        assert!(matches!(self.look(waiter), Look::Dial(())));
        self.state.next_serial()
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
        self.run(|state, now, fx| state.dialed(handle, sharing, now, fx));
        link
    }

    /// A dial of which the IO goes first.
    fn dial_fails(&mut self, covers: u64) {
        self.run(|state, _, fx| state.slot_closed(fx));
        self.run(|state, _, fx| state.dial_failed(refused(), covers, fx));
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

// ---- limits and the queue ----

/// LIM-02
#[test]
fn while_the_only_dial_allowed_is_under_way_no_second_one_begins() {
    let mut rig = Rig::with_connections(1, Sharing::Exclusive);
    let first = rig.join();
    rig.begins_a_dial(&first);
    let second = rig.join();
    rig.waits(&second);
    assert_eq!(rig.state.counts().dialing, 1);
    assert_eq!(rig.released, 0);
}

/// LIM-04
#[test]
fn when_a_dial_at_the_limit_fails_the_next_waiter_dials() {
    let mut rig = Rig::with_connections(1, Sharing::Exclusive);
    let (first, second) = (rig.join(), rig.join());
    let covers = rig.begins_a_dial(&first);
    rig.waits(&first);
    rig.waits(&second);
    rig.dial_fails(covers);
    rig.begins_a_dial(&first);
    rig.dialed(Sharing::Exclusive);
    let lease = rig.served(&first);
    rig.put_back(lease);
    rig.served(&second);
    assert_eq!(rig.state.counts().dialing, 0);
}

/// LIM-05
#[test]
fn three_waiters_are_served_in_the_order_of_their_arrival() {
    let mut rig = Rig::with_connections(1, Sharing::Exclusive);
    let mut lease = rig.lease(Sharing::Exclusive);
    let waiters = [rig.join(), rig.join(), rig.join()];
    for at in 0..3 {
        for waiter in &waiters[at..] {
            rig.waits(waiter);
        }
        rig.put_back(lease);
        lease = rig.served(&waiters[at]);
        for waiter in &waiters[at + 1..] {
            assert!(!waiter.woken.is_set(), "woken for nothing");
        }
    }
}

/// LIM-06
#[test]
fn whoever_leaves_the_queue_from_anywhere_leaves_the_order_of_the_rest() {
    for gone in 0..3 {
        let mut rig = Rig::with_connections(1, Sharing::Exclusive);
        let mut lease = rig.lease(Sharing::Exclusive);
        let mut waiters = vec![rig.join(), rig.join(), rig.join()];
        rig.leave(&waiters.remove(gone));
        for waiter in waiters {
            rig.put_back(lease);
            lease = rig.served(&waiter);
        }
    }
}

/// LIM-07: never, not merely for a bounded time.
#[test]
fn a_newcomer_gets_nothing_while_somebody_waits() {
    let mut rig = Rig::with_connections(1, Sharing::Exclusive);
    let lease = rig.lease(Sharing::Exclusive);
    let (first, second) = (rig.join(), rig.join());
    rig.put_back(lease);
    assert!(
        rig.checkout().is_none(),
        "the first was not yet there to collect"
    );
    let lease = rig.served(&first);
    rig.put_back(lease);
    assert!(rig.checkout().is_none());
    let lease = rig.served(&second);
    rig.put_back(lease);
    assert!(rig.checkout().is_some());
}

/// LIM-08
#[test]
fn a_waiter_takes_what_comes_first_and_its_dial_is_kept_for_the_next() {
    let mut rig = Rig::with_connections(2, Sharing::Exclusive);
    let lease = rig.lease(Sharing::Exclusive);
    let waiter = rig.join();
    rig.begins_a_dial(&waiter);
    rig.put_back(lease);
    assert_eq!(rig.served(&waiter).link.id, 1);
    let dialled = rig.dialed(Sharing::Exclusive);
    assert_eq!(
        rig.checkout().map(|handle| handle.link.id),
        Some(dialled.id)
    );
}

/// LIM-12
#[test]
fn one_more_waiter_than_may_wait_is_refused_at_once() {
    let limits = Limits {
        waiting: 1,
        ..LIMITS
    };
    let mut rig = Rig::new(limits, Sharing::Exclusive);
    rig.join();
    rig.run(|state, now, fx| {
        let refused = state.join(now, fx).map_err(|error| error.kind());
        assert_eq!(refused, Err(ErrorKind::QueueFull));
    });
    assert_eq!(rig.state.counts().waiting, 1);
}

/// LIM-17
#[test]
fn what_a_smaller_load_does_not_use_ages_out() {
    let mut rig = Rig::with_connections(3, Sharing::Exclusive);
    let leases: Vec<Fake> = (0..3).map(|_| rig.lease(Sharing::Exclusive)).collect();
    for lease in leases {
        rig.put_back(lease);
    }
    for _ in 0..4 {
        rig.now += 3 * MS;
        let lease = rig.checkout().expect("one is idle");
        assert_eq!(lease.link.id, 3, "the newest is used");
        rig.put_back(lease);
    }
    assert_eq!(rig.sweep(1), Sweep::Expired);
    assert_eq!(rig.sweep(2), Sweep::Expired);
    assert_eq!(rig.sweep(3), Sweep::CheckAt(rig.now + 10 * MS));
    assert_eq!((rig.closed, rig.idle), (vec![1, 2], 1));
}

// ---- idle connections ----

/// IDLE-01
#[test]
fn a_connection_is_kept_until_its_idle_time_is_over_and_not_longer() {
    let mut rig = Rig::new(LIMITS, Sharing::Exclusive);
    let lease = rig.lease(Sharing::Exclusive);
    let since = rig.now;
    rig.put_back(lease);
    rig.now += 9 * MS;
    assert_eq!(rig.sweep(1), Sweep::CheckAt(since + 10 * MS));
    rig.now += MS;
    assert_eq!(rig.sweep(1), Sweep::Expired);
    assert_eq!((rig.closed, rig.idle), (vec![1], 0));
}

/// IDLE-02
#[test]
fn each_connection_is_told_its_own_next_time_and_one_in_use_has_not_idled() {
    let mut rig = Rig::new(LIMITS, Sharing::Exclusive);
    let leases: Vec<Fake> = (0..3).map(|_| rig.lease(Sharing::Exclusive)).collect();
    let begun = rig.now;
    for lease in leases {
        rig.put_back(lease);
        rig.now += 3 * MS;
    }
    let in_use = rig.checkout();
    assert_eq!(in_use.map(|handle| handle.link.id), Some(3));
    rig.now = begun + 10 * MS;
    assert_eq!(rig.sweep(1), Sweep::Expired);
    assert_eq!(rig.sweep(2), Sweep::CheckAt(begun + 13 * MS));
    assert_eq!(rig.sweep(3), Sweep::CheckAt(begun + 20 * MS));
}

/// IDLE-03
#[test]
fn what_comes_back_beyond_the_idle_limit_is_closed() {
    let limits = Limits { idle: 2, ..LIMITS };
    let mut rig = Rig::new(limits, Sharing::Exclusive);
    let leases: Vec<Fake> = (0..3).map(|_| rig.lease(Sharing::Exclusive)).collect();
    for lease in leases {
        rig.put_back(lease);
    }
    assert_eq!((rig.closed, rig.idle), (vec![3], 2));
}

// ---- those who go away ----

/// CAN-01
#[test]
fn a_grant_that_is_not_collected_serves_the_next_waiter_at_once() {
    let mut rig = Rig::with_connections(1, Sharing::Exclusive);
    let lease = rig.lease(Sharing::Exclusive);
    let (first, second) = (rig.join(), rig.join());
    rig.waits(&first);
    rig.waits(&second);
    rig.put_back(lease);
    rig.leave(&first);
    assert_eq!(rig.served(&second).link.id, 1);
}

/// CAN-02
#[test]
fn a_grant_whose_waiter_left_before_it_was_woken_is_not_lost() {
    let mut rig = Rig::with_connections(1, Sharing::Exclusive);
    let lease = rig.lease(Sharing::Exclusive);
    let waiter = rig.join();
    rig.waits(&waiter);
    let mut fx = Effects::default();
    rig.state.put_back(lease, rig.now, &mut fx);
    // The lock is released, the waker not yet called.
    rig.leave(&waiter);
    rig.carry_out(&mut fx);
    assert_eq!(rig.idle, 1);
    assert_eq!(rig.checkout().map(|handle| handle.link.id), Some(1));
}

/// CAN-02: likewise for a permit.
#[test]
fn a_permit_whose_waiter_was_served_otherwise_wakes_the_next_to_dial() {
    let mut rig = Rig::with_connections(3, Sharing::Exclusive);
    let lease = rig.lease(Sharing::Exclusive);
    let line = tickets();
    let (mut first, mut second) = (None, None);
    for place in [&mut first, &mut second] {
        rig.without_permits(|state, now, fx| *place = state.join(now, fx).ok());
    }
    let [first, second] = [first, second].map(|ticket| Waiter {
        ticket: ticket.expect("the queue has room"),
        woken: Woken::new(),
    });
    rig.without_permits(|state, _, fx| state.permit_queued(line[0], 2, fx));
    rig.waits(&first);
    rig.waits(&second);
    rig.without_permits(|state, _, fx| state.permit_arrived(line[0], (), fx));
    rig.without_permits(|state, _, fx| state.permit_queued(line[1], 1, fx));
    assert!(first.woken.is_set());
    rig.without_permits(|state, now, fx| state.put_back(lease, now, fx));
    rig.served(&first);
    rig.begins_a_dial(&second);
}

/// CAN-04
#[test]
fn a_dial_goes_on_for_those_who_wait_when_the_one_who_began_it_leaves() {
    let mut rig = Rig::new(LIMITS, Sharing::Unknown);
    let (leader, follower) = (rig.join(), rig.join());
    rig.begins_a_dial(&leader);
    rig.waits(&follower);
    rig.leave(&leader);
    rig.dialed(Sharing::Shared);
    rig.served(&follower);
}

/// CAN-05
#[test]
fn after_all_have_left_a_dial_its_connection_idles_and_its_error_is_forgotten() {
    let mut rig = Rig::new(LIMITS, Sharing::Unknown);
    for fails in [true, false] {
        let (leader, follower) = (rig.join(), rig.join());
        let covers = rig.begins_a_dial(&leader);
        rig.leave(&leader);
        rig.leave(&follower);
        if fails {
            rig.dial_fails(covers);
        } else {
            rig.dialed(Sharing::Shared);
        }
    }
    assert_eq!((rig.idle, rig.state.counts().dialing), (1, 0));
    assert!(rig.checkout().is_some());
}

// ---- streams ----

/// H2-11
#[test]
fn when_one_connection_is_full_another_is_opened_and_then_one_waits_in_turn() {
    let mut rig = Rig::with_connections(2, Sharing::Shared);
    let first = rig.lease(Sharing::Shared);
    let link = Arc::clone(&first.link);
    rig.allows(&link, 2);
    let _second = rig.checkout().expect("two streams are allowed");
    let waiter = rig.join();
    rig.begins_a_dial(&waiter);
    let other = rig.dialed(Sharing::Shared);
    assert_eq!(rig.served(&waiter).link.id, other.id);
    rig.allows(&other, 1);
    let (third, fourth) = (rig.join(), rig.join());
    rig.waits(&third);
    rig.waits(&fourth);
    rig.put_back(first);
    rig.served(&third);
    rig.waits(&fourth);
    assert_eq!(rig.state.counts().dialing, 0);
}

/// H2-12
#[test]
fn a_limit_that_falls_to_no_stream_at_all_makes_waiters_dial() {
    let mut rig = Rig::with_connections(2, Sharing::Shared);
    let lease = rig.lease(Sharing::Shared);
    let link = Arc::clone(&lease.link);
    rig.allows(&link, 0);
    rig.put_back(lease);
    let waiter = rig.join();
    rig.begins_a_dial(&waiter);
    let other = rig.dialed(Sharing::Shared);
    assert_eq!(rig.served(&waiter).link.id, other.id);
}

/// H2-13
#[test]
fn a_limit_that_rises_serves_as_many_as_it_allows() {
    let mut rig = Rig::with_connections(1, Sharing::Shared);
    let lease = rig.lease(Sharing::Shared);
    let link = Arc::clone(&lease.link);
    let waiters = [rig.join(), rig.join(), rig.join()];
    for waiter in &waiters {
        rig.waits(waiter);
    }
    rig.allows(&link, 3);
    let _leases = [rig.served(&waiters[0]), rig.served(&waiters[1])];
    rig.waits(&waiters[2]);
    assert_eq!(rig.state.counts().streams, 3);
}

/// H2-17
#[test]
fn a_connection_that_never_spoke_and_is_suspect_does_not_stand_for_a_dial() {
    let mut rig = Rig::with_connections(2, Sharing::Shared);
    let lease = rig.lease(Sharing::Shared);
    let waiter = rig.join();
    rig.waits(&waiter);
    rig.run(|state, _, fx| state.suspect(lease.link.id, fx));
    rig.begins_a_dial(&waiter);
}

/// H2-17
#[test]
fn a_suspect_connection_gives_its_place_up_when_there_is_no_other() {
    let mut rig = Rig::with_connections(1, Sharing::Shared);
    let lease = rig.lease(Sharing::Shared);
    rig.allows(&Arc::clone(&lease.link), 1);
    let waiter = rig.join();
    rig.waits(&waiter);
    rig.run(|state, _, fx| state.suspect(lease.link.id, fx));
    rig.put_back(lease);
    assert!(rig.closed.contains(&1));
    assert_eq!(rig.idle, 0);
    rig.run(|state, _, fx| state.slot_closed(fx));
    rig.begins_a_dial(&waiter);
}

// ---- dials that fail ----

#[test]
fn a_dials_error_is_kept_back_while_another_dial_may_serve() {
    let mut rig = Rig::with_connections(2, Sharing::Exclusive);
    let (first, second) = (rig.join(), rig.join());
    rig.begins_a_dial(&first);
    let covers = rig.begins_a_dial(&second);
    rig.waits(&first);
    rig.dial_fails(covers);
    rig.waits(&first);
    rig.dialed(Sharing::Exclusive);
    rig.served(&first);
}

#[test]
fn when_the_last_dial_fails_as_well_each_waiter_has_an_error_of_its_own() {
    let mut rig = Rig::with_connections(2, Sharing::Exclusive);
    let (first, second) = (rig.join(), rig.join());
    let covers = rig.begins_a_dial(&first);
    rig.begins_a_dial(&second);
    rig.dial_fails(covers);
    rig.dial_fails(covers);
    rig.fails(&first);
    rig.fails(&second);
}

#[test]
fn the_error_of_the_only_dial_allowed_goes_to_all_who_waited_when_it_began() {
    let mut rig = Rig::new(LIMITS, Sharing::Unknown);
    let (first, second) = (rig.join(), rig.join());
    let covers = rig.begins_a_dial(&first);
    rig.waits(&second);
    let late = rig.join();
    rig.waits(&late);
    rig.dial_fails(covers);
    rig.fails(&first);
    rig.fails(&second);
    rig.begins_a_dial(&late);
}

/// A connector that panics, or a peer that closes at once: the error comes before the end of
/// the IO.
#[test]
fn a_failed_dial_whose_io_outlives_it_is_not_dialled_again() {
    for sharing in [Sharing::Unknown, Sharing::Exclusive, Sharing::Shared] {
        let mut rig = Rig::new(LIMITS, sharing);
        let waiter = rig.join();
        let covers = rig.begins_a_dial(&waiter);
        rig.waits(&waiter);
        rig.run(|state, _, fx| state.dial_failed(refused(), covers, fx));
        rig.run(|state, _, fx| state.slot_closed(fx));
        rig.fails(&waiter);
    }
}

#[test]
fn the_failed_dial_of_one_who_left_does_not_keep_the_next_from_dialling() {
    let mut rig = Rig::with_connections(3, Sharing::Exclusive);
    let _busy = rig.lease(Sharing::Exclusive);
    let first = rig.join();
    let covers = rig.begins_a_dial(&first);
    rig.dial_fails(covers);
    rig.leave(&first);
    let second = rig.join();
    rig.begins_a_dial(&second);
}

#[test]
fn the_counts_are_right_between_the_end_of_a_dials_io_and_its_error() {
    let mut rig = Rig::new(LIMITS, Sharing::Exclusive);
    let waiter = rig.join();
    rig.begins_a_dial(&waiter);
    rig.run(|state, _, fx| state.slot_closed(fx));
    assert_eq!(rig.state.counts().active, 0);
}

// ---- permits ----

fn tickets() -> [Ticket; 2] {
    let mut line = WaitQueue::new();
    [line.push(()), line.push(())]
}

#[test]
fn a_permit_that_overtakes_the_note_of_its_place_is_kept() {
    let mut rig = Rig::new(LIMITS, Sharing::Exclusive);
    let mut ticket = None;
    let asked = rig.without_permits(|state, now, fx| ticket = state.join(now, fx).ok());
    assert_eq!(asked, 1);
    let waiter = Waiter {
        ticket: ticket.expect("the queue has room"),
        woken: Woken::new(),
    };
    let [place, _] = tickets();
    rig.without_permits(|state, _, fx| state.permit_arrived(place, (), fx));
    let asked = rig.without_permits(|state, _, fx| state.permit_queued(place, 1, fx));
    assert_eq!((rig.released, asked), (0, 0));
    rig.begins_a_dial(&waiter);
}

// ---- through the transport ----

/// Two TLS identities share the limits; what one leaves idle when it goes counts no longer.
#[tokio::test]
async fn the_idle_connections_of_a_pool_that_is_gone_do_not_count() {
    let network = Network::new();
    let _server = Server::builder()
        .handler(|_| async { http::Response::new(Full::from("ok")) })
        .start_on(network.listen("a.test:80"));
    let transport = Transport::builder()
        .connector(network.connector())
        .max_idle(1)
        .build()
        .unwrap();
    let other = transport.with_tls(TlsConfig::default());
    for transport in [other, transport.clone(), transport.clone()] {
        let request = Request::get("http://a.test/").body(Body::empty()).unwrap();
        let response = transport.oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    let stats = transport.stats().total;
    assert_eq!((stats.created, stats.reused), (1, 1));
}
