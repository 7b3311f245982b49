//! Shared connections and their streams.

use super::*;

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
    let link = Arc::clone(&lease.link);
    rig.allows(&link, 1);
    let waiter = rig.join();
    rig.waits(&waiter);
    rig.run(|state, _, fx| state.suspect(lease.link.id, fx));
    rig.put_back(lease);
    assert!(rig.closed.contains(&1));
    assert_eq!(rig.idle, 0);
    rig.closes(&link);
    rig.begins_a_dial(&waiter);
}
