//! Dials that fail.

use super::*;

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
        rig.dial_closes();
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
    rig.dial_closes();
    assert_eq!(rig.state.counts().active, 0);
}
