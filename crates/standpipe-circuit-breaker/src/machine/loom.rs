//! The machine under loom: every interleaving of what threads may do to it at
//! once, without a bound on preemptions; all of them together take two seconds.

use std::time::Duration;

use ::loom::sync::Arc;
use ::loom::thread;
use standpipe_core::Outcome::{self, Failure, Success};
use tokio::time::Instant;

use super::*;

fn config() -> CircuitBreakerConfig {
    CircuitBreakerConfig::new()
        .reset_jitter(0.0)
        .jitter_seed(Some(1))
}

fn machine(config: &CircuitBreakerConfig) -> Arc<Machine> {
    Arc::new(Machine::new(config))
}

fn begin(machine: &Machine, now: Instant) -> Result<Permit, Refusal> {
    match machine.admit_closed() {
        Some(permit) => Ok(permit),
        None => machine.admit(now),
    }
}

fn end(machine: &Machine, permit: &Permit, outcome: Outcome, now: Instant) -> Recorded {
    if outcome == Success
        && let Some(recorded) = machine.record_success(permit)
    {
        return recorded;
    }
    let end = End::Judged {
        outcome,
        retry_after: None,
    };
    machine.record(permit, end, now)
}

fn told(machine: &Machine) -> Vec<(State, State)> {
    let mut told = Vec::new();
    if machine.begin_telling() {
        while let Some(transition) = machine.next_untold() {
            told.push((transition.from, transition.to));
        }
    }
    told
}

/// An open machine whose reset period ends at the instant given with it.
fn open(config: &CircuitBreakerConfig) -> (Arc<Machine>, Instant) {
    let machine = machine(config);
    let now = Instant::now();
    let permit = machine.admit_closed().unwrap();
    while end(&machine, &permit, Failure, now) != Recorded::Late {}
    assert_eq!(told(&machine), [(State::Closed, State::Open)]);
    (machine, now + Duration::from_secs(30))
}

/// Three failures at once and a threshold of two: one transition, and one of the three is late or
/// was refused.
#[test]
fn failures_at_once_open_it_once() {
    ::loom::model(|| {
        let machine = machine(&config().threshold(2));
        let now = Instant::now();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let machine = machine.clone();
                let permit = machine.admit_closed().unwrap();
                thread::spawn(move || end(&machine, &permit, Failure, now))
            })
            .collect();
        let permit = begin(&machine, now).ok();
        let own = permit.map(|permit| end(&machine, &permit, Failure, now));
        let mut counted = usize::from(own == Some(Recorded::As(Failure)));
        for thread in threads {
            counted += usize::from(thread.join().unwrap() == Recorded::As(Failure));
        }
        assert_eq!((machine.state(), counted), (State::Open, 2));
        assert_eq!(told(&machine), [(State::Closed, State::Open)]);
    });
}

/// A success between two failures: open only if it came before or after both.
#[test]
fn a_success_beside_failures_is_seen_at_one_instant() {
    ::loom::model(|| {
        let machine = machine(&config().threshold(2));
        let now = Instant::now();
        let failing = {
            let machine = machine.clone();
            let permit = machine.admit_closed().unwrap();
            thread::spawn(move || {
                let one = end(&machine, &permit, Failure, now);
                let two = end(&machine, &permit, Failure, now);
                assert_eq!((one, two), (Recorded::As(Failure), Recorded::As(Failure)));
            })
        };
        let permit = machine.admit_closed();
        let success = permit.map(|permit| end(&machine, &permit, Success, now));
        failing.join().unwrap();
        match machine.state() {
            // It came in between, and one more failure makes two.
            State::Closed => {
                assert_eq!(success, Some(Recorded::As(Success)));
                let permit = machine.admit_closed().unwrap();
                end(&machine, &permit, Failure, now);
                assert_eq!(machine.state(), State::Open);
            }
            state => assert_eq!(state, State::Open),
        }
        assert_eq!(told(&machine).len(), 1);
    });
}

/// BRK-07
#[test]
fn of_callers_at_once_one_is_the_probe() {
    ::loom::model(|| {
        let (machine, later) = open(&config().threshold(1));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let machine = machine.clone();
                thread::spawn(move || begin(&machine, later).is_ok())
            })
            .collect();
        let mut admitted = usize::from(begin(&machine, later).is_ok());
        for thread in threads {
            admitted += usize::from(thread.join().unwrap());
        }
        assert_eq!(admitted, 1);
        assert_eq!(told(&machine), [(State::Open, State::HalfOpen)]);
    });
}

/// BRK-10: a place that is given back is had by one, and never by two.
#[test]
fn a_place_given_back_is_had_once() {
    ::loom::model(|| {
        let (machine, later) = open(&config().threshold(1));
        let probe = begin(&machine, later).unwrap();
        let drops = {
            let machine = machine.clone();
            thread::spawn(move || machine.record(&probe, End::Dropped, later))
        };
        let comes = {
            let machine = machine.clone();
            thread::spawn(move || begin(&machine, later).is_ok())
        };
        let one = begin(&machine, later).is_ok();
        assert_eq!(drops.join().unwrap(), Recorded::As(Outcome::Ignored));
        let two = comes.join().unwrap();
        assert!(!(one && two));
        assert_eq!(begin(&machine, later).is_ok(), !one && !two);
    });
}

/// BRK-11: the late success of a hung probe closes the breaker, or its place goes to another; not
/// both.
#[test]
fn a_hung_probe_ends_or_loses_its_place() {
    ::loom::model(|| {
        let (machine, later) = open(&config().threshold(1));
        let hung = begin(&machine, later).unwrap();
        let much_later = later + Duration::from_secs(120);
        let ends = {
            let machine = machine.clone();
            thread::spawn(move || end(&machine, &hung, Success, much_later))
        };
        let next = begin(&machine, much_later).unwrap();
        match ends.join().unwrap() {
            Recorded::Late => assert_eq!(machine.state(), State::HalfOpen),
            _ => assert_eq!(machine.state(), State::Closed),
        }
        // Whichever it was, the next one is a call of the period that is.
        assert_eq!(
            end(&machine, &next, Success, much_later),
            Recorded::As(Success)
        );
        assert_eq!(machine.state(), State::Closed);
    });
}

/// BRK-09: a failure of the closed period beside a reset by hand belongs to one side of it.
#[test]
fn a_failure_beside_a_reset_does_not_outlive_it() {
    ::loom::model(|| {
        let machine = machine(&config().threshold(2));
        let now = Instant::now();
        let permit = machine.admit_closed().unwrap();
        end(&machine, &permit, Failure, now);
        let fails = {
            let machine = machine.clone();
            thread::spawn(move || end(&machine, &permit, Failure, now))
        };
        machine.release();
        fails.join().unwrap();
        // One failure of the new period is not the second in a row.
        assert_eq!(machine.state(), State::Closed);
        let permit = machine.admit_closed().unwrap();
        end(&machine, &permit, Failure, now);
        assert_eq!(machine.state(), State::Closed);
    });
}

/// BRK-17: two transitions and two who tell: each is told once, and in order.
#[test]
fn each_transition_is_told_once_and_in_order() {
    ::loom::model(|| {
        let machine = machine(&config());
        let log = Arc::new(Mutex::new(Vec::new()));
        let change = |state| {
            let (machine, log) = (machine.clone(), log.clone());
            move || {
                machine.hold(state);
                if machine.begin_telling() {
                    while let Some(transition) = machine.next_untold() {
                        log.lock().push(transition.generation);
                    }
                }
            }
        };
        let opens = thread::spawn(change(State::Open));
        change(State::Closed)();
        opens.join().unwrap();
        let log = log.lock();
        assert!(log.is_sorted(), "{log:?}");
        // Closed stays closed, unless it was opened before.
        let transitions = if machine.state() == State::Open { 1 } else { 2 };
        assert_eq!(log.len(), transitions);
    });
}
