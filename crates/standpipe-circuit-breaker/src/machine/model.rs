//! The machine against a plain model of it: random events, and no divergence.
//!
//! `STANDPIPE_BREAKER_OPS` is how many events there are in all; 20,000 unless set.

use std::time::Duration;

use proptest::prelude::*;
use standpipe_core::Outcome;
use tokio::time::Instant;

use super::*;
use crate::Window;

const EVENTS: usize = 200;
const FIRST_RESET: u64 = 10;
const LONGEST_RESET: u64 = 35;
const PROBE_TIMEOUT: u64 = 7;
const DROPPED_AFTER: u64 = 4;
const SPAN: usize = 5;

/// How the closed breaker of a run is tripped.
#[derive(Clone, Copy, Debug)]
struct Rules {
    threshold: Option<usize>,
    at_once: usize,
    needed: usize,
}

/// The breaker as one would write it with all the time in the world: it keeps every call.
#[derive(Debug)]
struct Model {
    rules: Rules,
    state: State,
    held: bool,
    period: usize,
    until: u64,
    reset: u64,
    /// The outcomes of the period, oldest first: true is a failure.
    outcomes: Vec<bool>,
    /// The calls that hold a probe's place, and since when.
    probes: Vec<(usize, u64)>,
    calls: Vec<(usize, u64)>,
    transitions: usize,
}

impl Model {
    fn go(&mut self, state: State, held: bool) {
        self.transitions += usize::from(self.state != state);
        (self.state, self.held) = (state, held);
        self.period += 1;
        self.outcomes.clear();
        self.probes.clear();
    }

    fn open(&mut self, now: u64) {
        self.go(State::Open, false);
        self.until = now + self.reset;
        self.reset = (self.reset * 2).min(LONGEST_RESET);
    }

    fn begin(&mut self, now: u64) -> Option<usize> {
        if self.state == State::Open {
            if self.held || now < self.until {
                return None;
            }
            self.go(State::HalfOpen, false);
        }
        let call = self.calls.len();
        if self.state == State::HalfOpen {
            let most = self.rules.at_once.max(self.rules.needed) - self.outcomes.len();
            if self.probes.len() == self.rules.at_once.min(most) {
                if now < self.probes[0].1 + PROBE_TIMEOUT {
                    return None;
                }
                self.probes.remove(0);
            }
            self.probes.push((call, now));
        }
        self.calls.push((self.period, now));
        Some(call)
    }

    /// `failed` is None where the outcome says nothing. False is a late result.
    fn end(&mut self, call: usize, failed: Option<bool>, now: u64) -> bool {
        if self.calls[call].0 != self.period {
            return false;
        }
        let probe = self.probes.iter().position(|probe| probe.0 == call);
        if self.state == State::HalfOpen && probe.is_none() {
            return false;
        }
        probe.map(|probe| self.probes.remove(probe));
        let Some(failed) = failed.filter(|_| !self.held) else {
            return true;
        };
        self.outcomes.push(failed);
        match (self.state, self.rules.threshold) {
            (State::HalfOpen, _) if failed => self.open(now),
            (State::HalfOpen, _) if self.outcomes.len() == self.rules.needed => {
                self.reset = FIRST_RESET;
                self.go(State::Closed, false);
            }
            (State::Closed, Some(threshold)) => {
                let row = self.outcomes.iter().rev().take_while(|failed| **failed);
                if row.count() == threshold {
                    self.open(now);
                }
            }
            (State::Closed, None) => {
                let latest = self.outcomes.iter().rev().take(SPAN);
                let failures = latest.filter(|failed| **failed).count();
                let calls = self.outcomes.len().min(SPAN);
                if calls >= 3 && failures * 2 >= calls {
                    self.open(now);
                }
            }
            _ => {}
        }
        true
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Wait(u64),
    Begin,
    /// The call by its number, modulo those that there are.
    End(usize, Outcome),
    Drop(usize),
    Panic(usize),
    ForceOpen,
    ForceClosed,
    Reset,
}

fn event() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Failure),
        4 => Just(Outcome::Success),
        1 => Just(Outcome::Ignored),
    ];
    prop_oneof![
        10 => (0..4_u64).prop_map(Event::Wait),
        1 => (5..50_u64).prop_map(Event::Wait),
        14 => Just(Event::Begin),
        14 => (any::<usize>(), outcome).prop_map(|(call, outcome)| Event::End(call, outcome)),
        3 => any::<usize>().prop_map(Event::Drop),
        1 => any::<usize>().prop_map(Event::Panic),
        1 => prop_oneof![Just(Event::ForceOpen), Just(Event::ForceClosed), Just(Event::Reset)],
        1 => Just(Event::Reset),
    ]
}

fn rules() -> impl Strategy<Value = Rules> {
    let threshold = prop_oneof![Just(None), (1..5_usize).prop_map(Some)];
    (threshold, 1..4_usize, 1..5_usize).prop_map(|(threshold, at_once, needed)| Rules {
        threshold,
        at_once,
        needed,
    })
}

fn config(rules: Rules) -> CircuitBreakerConfig {
    let config = CircuitBreakerConfig::new()
        .reset_period(Duration::from_secs(FIRST_RESET))
        .max_reset_period(Duration::from_secs(LONGEST_RESET))
        .reset_jitter(0.0)
        .half_open_max(rules.at_once as u32)
        .probe_successes(rules.needed as u32)
        .probe_timeout(Duration::from_secs(PROBE_TIMEOUT))
        .dropped_after(Some(Duration::from_secs(DROPPED_AFTER)));
    match rules.threshold {
        Some(threshold) => config.threshold(threshold as u32),
        None => config.window(Window::by_count(SPAN as u32).minimum_calls(3)),
    }
}

fn run(rules: Rules, events: &[Event]) {
    let machine = Machine::new(&config(rules));
    let mut model = Model {
        rules,
        state: State::Closed,
        held: false,
        period: 0,
        until: 0,
        reset: FIRST_RESET,
        outcomes: Vec::new(),
        probes: Vec::new(),
        calls: Vec::new(),
        transitions: 0,
    };
    let start = Instant::now();
    let mut now = 0;
    // Calls under way: their number in the model, and their permit.
    let mut under_way: Vec<(usize, Permit)> = Vec::new();
    let mut told = 0;
    for event in events {
        let at = start + Duration::from_secs(now);
        match *event {
            Event::Wait(seconds) => now += seconds,
            Event::Begin => {
                let refusal = machine.refusal(at);
                let permit = match machine.admit_closed() {
                    Some(permit) => Ok(permit),
                    None => machine.admit(at),
                };
                assert_eq!(permit.err(), refusal, "asked and admitted differ");
                let call = model.begin(now);
                assert_eq!(permit.is_ok(), call.is_some(), "{refusal:?} {model:?}");
                if let (Ok(permit), Some(call)) = (permit, call) {
                    under_way.push((
                        call,
                        Permit {
                            began: Some(at),
                            ..permit
                        },
                    ));
                } else if let (State::Open, false) = (model.state, model.held) {
                    let left = Duration::from_secs(model.until - now);
                    assert_eq!(refusal.unwrap().retry_after, Some(left));
                }
            }
            Event::End(which, _) | Event::Drop(which) | Event::Panic(which) => {
                if under_way.is_empty() {
                    continue;
                }
                let (call, permit) = under_way.swap_remove(which % under_way.len());
                let end = match *event {
                    Event::End(_, outcome) => End::Judged {
                        outcome,
                        retry_after: None,
                    },
                    Event::Drop(_) => End::Dropped,
                    _ => End::Panicked,
                };
                let failed = match end {
                    End::Judged {
                        outcome: Outcome::Ignored,
                        ..
                    } => None,
                    End::Judged { outcome, .. } => Some(outcome == Outcome::Failure),
                    End::Dropped => (now - model.calls[call].1 >= DROPPED_AFTER).then_some(true),
                    End::Panicked => Some(true),
                };
                let counts = machine.record(&permit, end, at) != Recorded::Late;
                assert_eq!(counts, model.end(call, failed, now), "{event:?} {model:?}");
            }
            Event::ForceOpen | Event::ForceClosed | Event::Reset => {
                model.reset = FIRST_RESET;
                match event {
                    Event::ForceOpen => {
                        machine.hold(State::Open);
                        model.go(State::Open, true);
                    }
                    Event::ForceClosed => {
                        machine.hold(State::Closed);
                        model.go(State::Closed, true);
                    }
                    _ => {
                        machine.release();
                        model.go(State::Closed, false);
                    }
                }
            }
        }
        while machine.next_untold().is_some() {
            told += 1;
        }
        assert_eq!(
            (machine.state(), machine.is_held(), told),
            (model.state, model.held, model.transitions),
            "after {event:?}: {model:?}"
        );
    }
}

/// BRK-20
#[test]
fn the_machine_never_diverges_from_its_model() {
    let events = std::env::var("STANDPIPE_BREAKER_OPS").ok();
    let events = events.map_or(20_000, |text| text.parse().expect("a number of events"));
    let config = ProptestConfig {
        cases: u32::try_from(events / EVENTS).expect("fewer events").max(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let runs = (rules(), proptest::collection::vec(event(), EVENTS));
    proptest!(config, |((rules, events) in runs)| run(rules, &events));
}
