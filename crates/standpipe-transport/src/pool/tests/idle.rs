//! Idle connections.

use super::*;
use crate::events::CloseReason;

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

/// A request is over when its answer was read, whatever its connection's driver has seen of that.
#[test]
fn what_came_back_before_its_driver_was_ready_is_closed_with_those_that_idle() {
    let mut rig = Rig::new(LIMITS, Sharing::Exclusive);
    let leases: Vec<Fake> = (0..2).map(|_| rig.lease(Sharing::Exclusive)).collect();
    leases[1].link.ready.store(false, SeqCst);
    for lease in leases {
        rig.put_back(lease);
    }
    assert_eq!(rig.state.counts().idle, 2);
    let mut closed = 0;
    rig.run(|state, _, fx| closed = state.close_idle(CloseReason::Evicted, fx));
    assert_eq!((rig.closed.as_slice(), closed), ([1, 2].as_slice(), 2));
    assert_eq!((rig.state.counts().idle, rig.idle), (0, 0));
}

#[test]
fn what_came_back_before_its_driver_was_ready_is_kept_for_who_waits() {
    let mut rig = Rig::with_connections(1, Sharing::Exclusive);
    let lease = rig.lease(Sharing::Exclusive);
    let link = Arc::clone(&lease.link);
    link.ready.store(false, SeqCst);
    rig.put_back(lease);
    let waiter = rig.join();
    rig.waits(&waiter);
    rig.run(|state, _, fx| assert_eq!(state.close_idle(CloseReason::Evicted, fx), 0));
    link.ready.store(true, SeqCst);
    rig.run(|state, now, fx| state.settled(link.id, now, fx));
    assert_eq!(rig.served(&waiter).link.id, 1);
}
