//! The limits, the queue, and those who leave it.

use super::permits::tickets;
use super::*;

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
    rig.fails(&first);
    rig.begins_a_dial(&second);
    rig.dialed(Sharing::Exclusive);
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
