//! Random operations on several origins, with the invariants of ARCHITECTURE.md checked after each.

#![allow(
    clippy::arc_with_non_send_sync,
    reason = "one thread runs the model of what many share"
)]

mod invariants;
mod operations;
mod orders;
mod world;

use std::collections::VecDeque;
use std::sync::Arc;

use standpipe_core::queue::Ticket;
use tokio::time::Instant;

use super::fake::{Fake, Woken};
use super::state::{DialTag, Limits, Sharing};
use super::total::Permit;
use world::{Unit, World};

const OPERATIONS_OF_A_SEED: usize = 400;

struct Waiting {
    unit: usize,
    ticket: Ticket,
    since: Instant,
    woken: Arc<Woken>,
}

struct Dial {
    unit: usize,
    permit: Permit<Unit>,
    tag: DialTag,
}

/// One run: a world, those who use it, and what was seen of the queues last.
struct Run {
    seed: u64,
    world: Arc<World>,
    waiting: Vec<Waiting>,
    leases: Vec<(usize, Fake)>,
    dials: Vec<Dial>,
    links: u64,
    protocols: Vec<Option<bool>>,
    queues: Vec<Vec<Instant>>,
    /// Those who went away of their own accord in this step.
    left: Vec<Instant>,
    spurious: bool,
    log: VecDeque<String>,
}

#[test]
fn random_operations_keep_the_invariants() {
    let operations = std::env::var("STANDPIPE_MODEL_OPS")
        .ok()
        .and_then(|text| text.replace('_', "").parse().ok())
        .unwrap_or(20_000_usize);
    let first = std::env::var("STANDPIPE_MODEL_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_u64);
    for seed in (first..).take(operations.div_ceil(OPERATIONS_OF_A_SEED)) {
        let mut run = Run::new(seed);
        for _ in 0..OPERATIONS_OF_A_SEED {
            run.step();
        }
        run.finish();
    }
}

impl Drop for Run {
    /// What led to a failure.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}, the last operations:", self.seed);
            for line in &self.log {
                eprintln!("  {line}");
            }
            for unit in self.world.units.lock().iter() {
                eprintln!("  origin {}: {:?}", unit.number, unit.state.lock().audit());
            }
        }
    }
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut rng = world::Rng::new(seed);
        let max = (rng.below(3) > 0).then(|| 1 + rng.below(6));
        let max_idle = 1 + rng.below(6);
        let world = World::new(seed, max, max_idle);
        let mut protocols = Vec::new();
        for _ in 0..=rng.below(4) {
            let connections = 1 + rng.below(5);
            let limits = Limits {
                connections,
                idle: rng.below(connections + 1),
                waiting: [3, 8, usize::MAX][rng.below(3)],
                min_idle: [0, 0, 1, 2][rng.below(4)],
            };
            let (sharing, shared) = [
                (Sharing::Unknown, None),
                (Sharing::Unknown, Some(false)),
                (Sharing::Unknown, Some(true)),
                (Sharing::Exclusive, Some(false)),
                (Sharing::Shared, Some(true)),
            ][rng.below(5)];
            protocols.push(shared);
            world.add(limits, sharing);
        }
        Self {
            seed,
            queues: vec![Vec::new(); protocols.len()],
            protocols,
            world,
            waiting: Vec::new(),
            leases: Vec::new(),
            dials: Vec::new(),
            links: 0,
            left: Vec::new(),
            spurious: rng.below(4) == 0,
            log: VecDeque::new(),
        }
    }

    fn note(&mut self, what: String) {
        if self.log.len() == 60 {
            self.log.pop_front();
        }
        self.log.push_back(what);
    }

    fn pick(&self, count: usize) -> Option<usize> {
        (count > 0).then(|| self.world.below(count))
    }

    fn step(&mut self) {
        match self.world.below(100) {
            0..23 => self.start(),
            23 => self.evicts(),
            24 => self.sets_limits(),
            25 => self.dials_ahead(),
            26..46 => self.look_at_random(),
            46..51 => self.cancel(),
            51..67 => self.end_lease(),
            67..79 => self.end_dial_at_random(),
            79..82 => self.peer_closes(),
            82..86 => self.becomes_ready(),
            86..90 => self.stream_limit(),
            90..92 => self.suspects(),
            92..94 => self.retires(),
            94..97 => self.sweeps(),
            97 => {
                self.note("evict the oldest".into());
                self.world.evict_oldest(false);
            }
            98 if self.world.below(10) == 0 => self.close(),
            _ => {
                self.world.go_on_ending();
            }
        }
        self.check();
    }
}
