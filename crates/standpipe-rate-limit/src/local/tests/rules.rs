use super::sim::{Fate, MS, Sim, n, quota};
use crate::local::{Joined, Local, ServerPace};
use crate::{Quota, Unit};

const FOREVER: u64 = u64::MAX;

fn sim(millis: u64, burst: u32) -> Sim {
    Sim::new(&[(quota(millis, burst), Unit::Cost)])
}

/// RL-03
#[test]
fn a_large_cost_is_not_starved_by_small_ones_behind_it() {
    let mut sim = sim(1, 10);
    sim.arrive(10, FOREVER);
    let large = sim.arrive(10, FOREVER);
    let begin = sim.now;
    for _ in 0..50 {
        sim.arrive(1, FOREVER);
    }
    sim.advance(begin + 100 * MS);
    assert_eq!(sim.admitted_at(large), begin + 10 * MS);
    assert_eq!(sim.admitted_at(large + 1), begin + 11 * MS);
}

/// RL-04 CAN-12
#[test]
fn one_that_leaves_gives_its_turn_to_the_next() {
    let mut sim = sim(10, 1);
    let waiters: Vec<_> = (0..4).map(|_| sim.arrive(1, FOREVER)).collect();
    let begin = sim.admitted_at(waiters[0]);
    sim.cancel(waiters[1]);
    sim.advance(begin + 100 * MS);
    assert_eq!(sim.admitted_at(waiters[2]), begin + 10 * MS);
    assert_eq!(sim.admitted_at(waiters[3]), begin + 20 * MS);
}

/// CAN-12
#[test]
fn one_that_was_given_its_turn_and_is_dropped_before_it_takes_it_passes_it_on() {
    let mut sim = sim(10, 1);
    let first = sim.arrive(1, FOREVER);
    let begin = sim.admitted_at(first);
    let served = sim.arrive(1, FOREVER);
    let next = sim.arrive(1, FOREVER);
    sim.abandon(served);
    // The next one's timer rings, and gives its turn to the one before it.
    sim.advance(begin + 25 * MS);
    assert_eq!(sim.fates[next], Fate::Waiting);
    sim.cancel(served);
    assert_eq!(sim.admitted_at(next), begin + 25 * MS);
}

#[test]
fn one_whose_task_is_not_polled_takes_its_turn_and_no_more() {
    let mut sim = sim(10, 1);
    let begin = sim.now;
    let waiters: Vec<_> = (0..4).map(|_| sim.arrive(1, FOREVER)).collect();
    sim.abandon(waiters[1]);
    sim.advance(begin + 100 * MS);
    // Its own timer tells nobody, so its turn is given when the next one's rings.
    assert_eq!(sim.admitted_at(waiters[2]), begin + 30 * MS);
    assert_eq!(sim.admitted_at(waiters[3]), begin + 40 * MS);
}

/// RL-05
#[test]
fn each_admission_wakes_one_however_many_wait() {
    let mut sim = sim(1, 1);
    let begin = sim.now;
    for _ in 0..1_001 {
        sim.arrive(1, FOREVER);
    }
    assert_eq!(sim.polls, 1_000, "one poll each to join");
    sim.advance(begin + 1_000 * MS);
    assert_eq!(sim.order.len(), 1_001);
    assert_eq!(sim.polls, 2_000, "and one for each turn");
}

/// RL-05: with all of them cancelled but every fifth, the head of the line is told each time.
#[test]
fn cancellations_wake_two_for_each_admission_at_the_most() {
    let mut sim = sim(1, 1);
    let begin = sim.now;
    let waiters: Vec<_> = (0..1_000).map(|_| sim.arrive(1, FOREVER)).collect();
    for &waiter in waiters.iter().filter(|&waiter| waiter % 5 != 0) {
        sim.cancel(waiter);
    }
    let polls = sim.polls;
    sim.advance(begin + 1_000 * MS);
    assert_eq!(sim.admitted_at(waiters[995]), begin + 199 * MS);
    assert!(sim.polls - polls <= 2 * 200, "{} polls", sim.polls - polls);
}

/// RL-06
#[test]
fn one_whose_turn_would_come_too_late_is_refused_at_once_and_takes_no_place() {
    let mut sim = sim(10, 1);
    let begin = sim.now;
    sim.arrive(1, FOREVER);
    sim.arrive(1, FOREVER);
    let impatient = sim.arrive(1, begin + 20 * MS - 1);
    assert_eq!(sim.fates[impatient], Fate::Refused(begin));
    let patient = sim.arrive(1, begin + 20 * MS);
    sim.advance(begin + 30 * MS);
    assert_eq!(sim.admitted_at(patient), begin + 20 * MS);
}

/// RL-07
#[test]
fn a_pause_lets_nobody_out_and_refuses_at_once_who_cannot_wait_it_out() {
    let mut sim = sim(10, 5);
    let begin = sim.now;
    sim.local.pause(begin, begin + 1_000 * MS);
    let patient = sim.arrive(1, FOREVER);
    let refused = sim.arrive(1, begin + 500 * MS);
    assert_eq!(sim.fates[refused], Fate::Refused(begin));
    let soon_hopeless = sim.arrive(1, begin + 1_500 * MS);
    sim.local.pause(begin, begin + 2_000 * MS);
    sim.poll_woken();
    assert_eq!(sim.fates[soon_hopeless], Fate::Refused(begin));
    // A shorter one does not end it.
    sim.local.pause(begin, begin + 100 * MS);
    sim.advance(begin + 3_000 * MS);
    assert_eq!(sim.admitted_at(patient), begin + 2_000 * MS);
}

#[test]
fn after_a_pause_there_is_no_more_than_before_it() {
    let mut sim = sim(10, 5);
    let begin = sim.now;
    for _ in 0..4 {
        sim.arrive(1, FOREVER);
    }
    sim.local.pause(begin, begin + 1_000 * MS);
    let waiters: Vec<_> = (0..5).map(|_| sim.arrive(1, FOREVER)).collect();
    sim.advance(begin + 2_000 * MS);
    let at: Vec<_> = waiters.iter().map(|&who| sim.admitted_at(who)).collect();
    let end = begin + 1_000 * MS;
    assert_eq!(at, [0, 10, 20, 30, 40].map(|ms| end + ms * MS));
}

/// RL-07
#[test]
fn what_the_server_has_left_is_spread_until_its_reset() {
    let mut sim = Sim::new(&[(quota(1, 1_000), Unit::Request)]);
    let begin = sim.now;
    let until = begin + 1_000 * MS;
    let pace = ServerPace::new(begin, 10, until);
    sim.local.set_server_pace(begin, Unit::Request, Some(pace));
    for _ in 0..30 {
        sim.arrive(1, FOREVER);
    }
    assert_eq!(sim.order.len(), 5, "half of it at once");
    sim.advance(until - 1);
    assert!((9..=10).contains(&sim.order.len()), "{}", sim.order.len());
    sim.advance(until);
    assert_eq!(sim.order.len(), 30, "the quota's own burst from then on");
    assert!(sim.local.try_admit(sim.now, 1), "without the lock again");
}

#[test]
fn what_the_server_has_left_matters_only_where_the_quota_could_use_it_up() {
    let local = Local::new(&[(quota(10, 5), Unit::Request)], usize::MAX);
    // Five at once and a hundred in the second.
    assert!(local.could_use(0, Unit::Request, 105, 1_000 * MS));
    assert!(!local.could_use(0, Unit::Request, 106, 1_000 * MS));
}

/// RL-11
#[test]
fn units_given_back_let_the_next_go_earlier_and_never_fill_more_than_the_bucket() {
    let mut sim = sim(10, 10);
    let begin = sim.now;
    sim.arrive(10, FOREVER);
    let next = sim.arrive(4, FOREVER);
    sim.local.settle(begin, -3);
    sim.advance(begin + 10 * MS);
    assert_eq!(sim.admitted_at(next), begin + 10 * MS);
    sim.local.settle(sim.now, i64::MIN);
    assert_eq!(sim.local.standing(sim.now).available, [10]);
}

#[test]
fn a_debt_is_waited_for() {
    let mut sim = sim(10, 10);
    let begin = sim.now;
    sim.arrive(1, FOREVER);
    sim.local.settle(begin, 29);
    let next = sim.arrive(1, FOREVER);
    sim.advance(begin + 1_000 * MS);
    assert_eq!(sim.admitted_at(next), begin + 210 * MS);
    sim.local.settle(sim.now, i64::MAX);
    assert_eq!(sim.local.standing(sim.now).available, [0]);
}

/// RL-01: all quotas admit, or none is charged.
#[test]
fn a_refusal_by_one_quota_takes_nothing_of_the_others() {
    let quotas = [(quota(10, 2), Unit::Request), (quota(10, 10), Unit::Cost)];
    let mut sim = Sim::new(&quotas);
    sim.arrive(10, 0);
    for _ in 0..5 {
        let refused = sim.arrive(10, 0);
        assert_eq!(sim.fates[refused], Fate::Refused(sim.now));
    }
    assert_eq!(sim.local.standing(sim.now).available, [1, 0]);
}

/// LIM-14
#[test]
fn a_quota_can_be_changed_under_those_who_wait() {
    let mut sim = sim(1_000, 10);
    let begin = sim.now;
    sim.arrive(10, FOREVER);
    let large = sim.arrive(10, FOREVER);
    let small = sim.arrive(1, FOREVER);
    // Less than the cost of the first in line: it goes out with a full bucket, and owes the rest.
    let quota = Quota::per_second(n(1_000)).burst(n(4));
    assert!(sim.local.set_quota(begin, 0, quota));
    assert!(!sim.local.set_quota(begin, 1, quota));
    sim.poll_woken();
    // Ten units were taken, of which the new one holds four: it is empty.
    let full = begin + 4 * MS;
    sim.advance(full + 1_000 * MS);
    assert_eq!(sim.admitted_at(large), full);
    assert_eq!(sim.admitted_at(small), full + 7 * MS);
    assert_eq!(sim.local.check(5), Err(4));
}

#[test]
fn no_more_wait_than_may() {
    let local = Local::new(&[(quota(10, 1), Unit::Request)], 1);
    assert!(local.try_admit(0, 1));
    assert!(matches!(local.join(0, 1, FOREVER), Joined::Waiting(_, wait) if wait == 10 * MS));
    assert_eq!(local.join(0, 1, FOREVER), Joined::Full(20 * MS));
}

#[test]
fn a_clock_that_stands_far_ahead_or_goes_back_does_no_harm() {
    let far = crate::gcra::FAR;
    let mut sim = sim(10, 1);
    sim.local.pause(sim.now, far);
    sim.arrive(1, FOREVER);
    sim.local.settle(sim.now, i64::MAX);
    sim.advance(far);
    sim.now = 0;
    sim.arrive(1, FOREVER);
    sim.local.pause(0, u64::MAX >> 2);
    sim.local.standing(0);
    sim.advance(far);
}
