//! Permits that arrive out of order.

use super::*;

pub(super) fn tickets() -> [Ticket; 2] {
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
