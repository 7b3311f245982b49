//! Random operations on several origins, with the invariants of ARCHITECTURE.md checked after each.

mod world;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use standpipe_core::queue::Ticket;
use standpipe_core::{Error, ErrorKind};
use tokio::time::{Duration, Instant};

use super::fake::{Fake, Link, Look, Woken};
use super::state::{Audit, Limits, Sharing};
use super::total::Permit;
use world::{Live, Unit, World, end_slot};

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
    covers: u64,
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
            0..26 => self.start(),
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

    // ---- operations ----

    fn start(&mut self) {
        let number = self.world.below(self.protocols.len());
        let unit = self.world.unit(number);
        if let Some(handle) = unit.checkout() {
            self.note(format!("origin {number}: checkout of {}", handle.link.id));
            assert!(self.queues[number].is_empty(), "a newcomer overtook");
            self.leases.push((number, handle));
            return;
        }
        let since = self.world.tick(Duration::ZERO);
        match unit.with(|state, fx| state.join(since, fx)) {
            Ok(ticket) => {
                self.note(format!("origin {number}: join as {}", ticket.serial()));
                self.queues[number].push(since);
                self.waiting.push(Waiting {
                    unit: number,
                    ticket,
                    since,
                    woken: Woken::new(),
                });
            }
            Err(error) if error.kind() == ErrorKind::QueueFull => {
                self.note(format!("origin {number}: queue full"));
                assert_eq!(self.queues[number].len(), unit.limits.waiting);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Shutdown),
        }
    }

    fn look_at_random(&mut self) {
        let woken = |at: &usize| self.spurious || self.waiting[*at].woken.is_set();
        let candidates: Vec<usize> = (0..self.waiting.len()).filter(woken).collect();
        if let Some(at) = self.pick(candidates.len()) {
            self.look(candidates[at]);
        }
    }

    /// Looks until there is nothing to see, as `OriginPool` does.
    fn look(&mut self, at: usize) {
        let waiting = &self.waiting[at];
        let (number, ticket) = (waiting.unit, waiting.ticket);
        let woken = Arc::clone(&waiting.woken);
        let unit = self.world.unit(number);
        loop {
            let (look, covers) = {
                let mut state = unit.state.lock();
                (woken.look(&mut state, ticket), state.next_serial())
            };
            self.note(format!(
                "origin {number}: {} sees {}",
                ticket.serial(),
                match &look {
                    Look::Nothing => "nothing".into(),
                    Look::Served(handle) => format!("connection {}", handle.link.id),
                    Look::Failed(error) => format!("{:?}", error.kind()),
                    Look::Dial(_) => "a permit and dials".into(),
                }
            ));
            match look {
                Look::Nothing => return,
                Look::Dial(permit) => self.dials.push(Dial {
                    unit: number,
                    permit,
                    covers,
                }),
                Look::Served(handle) => {
                    self.waiting.swap_remove(at);
                    self.leases.push((number, handle));
                    // The place is left after the grant was collected.
                    return unit.leave(ticket);
                }
                Look::Failed(_) => {
                    self.waiting.swap_remove(at);
                    return unit.leave(ticket);
                }
            }
        }
    }

    fn cancel(&mut self) {
        if let Some(at) = self.pick(self.waiting.len()) {
            let waiting = self.waiting.swap_remove(at);
            let (number, serial) = (waiting.unit, waiting.ticket.serial());
            self.note(format!("origin {number}: {serial} leaves"));
            self.left.push(waiting.since);
            self.world.unit(waiting.unit).leave(waiting.ticket);
        }
    }

    fn end_lease(&mut self) {
        let Some(at) = self.pick(self.leases.len()) else {
            return;
        };
        let (number, handle) = self.leases.swap_remove(at);
        let how = self.world.below(8);
        let link = Arc::clone(&handle.link);
        self.note(format!("origin {number}: {} back, {how}", link.id));
        match how {
            0 if !link.shared => return drop(handle),
            1 => link.spent.store(true, SeqCst),
            2 | 3 if !link.shared => link.ready.store(false, SeqCst),
            _ => {}
        }
        self.world.unit(number).put_back(handle);
    }

    fn end_dial_at_random(&mut self) {
        if let Some(at) = self.pick(self.dials.len()) {
            let dial = self.dials.swap_remove(at);
            if self.world.below(4) == 0 {
                self.fail(dial);
            } else {
                self.connect(dial);
            }
        }
    }

    fn fail(&mut self, dial: Dial) {
        let unit = self.world.unit(dial.unit);
        let error = Error::new(ErrorKind::Connect);
        let io_first = self.world.below(2) == 0;
        self.note(format!(
            "origin {}: a dial fails, io first: {io_first}",
            dial.unit
        ));
        if io_first {
            end_slot(&unit, dial.permit, false);
            unit.with(|state, fx| state.dial_failed(error, dial.covers, fx));
        } else {
            unit.with(|state, fx| state.dial_failed(error, dial.covers, fx));
            end_slot(&unit, dial.permit, false);
        }
    }

    fn connect(&mut self, dial: Dial) {
        self.links += 1;
        let shared = self.protocols[dial.unit].unwrap_or_else(|| self.world.below(2) == 0);
        let handle = Fake::new(self.links, shared);
        self.note(format!(
            "origin {}: {} is dialled, shared: {shared}",
            dial.unit, self.links
        ));
        self.world.live.lock().push(Live {
            link: Arc::clone(&handle.link),
            unit: dial.unit,
            permit: Some(dial.permit),
            ending: false,
            driver_ended: false,
        });
        let sharing = if shared {
            Sharing::Shared
        } else {
            Sharing::Exclusive
        };
        let now = self.world.now();
        let unit = self.world.unit(dial.unit);
        unit.with(|state, fx| state.dialed(handle, sharing, now, fx));
        self.world.rebalance();
    }

    /// A connection whose driver runs, at random, with its origin.
    fn any_link(&self, shared: Option<bool>) -> Option<(Arc<Unit>, Arc<Link>)> {
        let live = self.world.live.lock();
        let fits = |live: &&Live| {
            !live.driver_ended && shared.is_none_or(|shared| shared == live.link.shared)
        };
        let fitting: Vec<&Live> = live.iter().filter(fits).collect();
        let entry = fitting.get(self.pick(fitting.len())?)?;
        Some((self.world.unit(entry.unit), Arc::clone(&entry.link)))
    }

    fn peer_closes(&mut self) {
        if let Some((_, link)) = self.any_link(None) {
            self.note(format!("the peer closes {}", link.id));
            let mut live = self.world.live.lock();
            for live in live.iter_mut().filter(|live| live.link.id == link.id) {
                live.ending = true;
            }
        }
    }

    fn becomes_ready(&mut self) {
        if let Some((unit, link)) = self.any_link(Some(false)) {
            self.note(format!("{} becomes ready", link.id));
            self.make_ready(&unit, &link);
        }
    }

    /// The driver becomes ready and says so if it was asked to.
    fn make_ready(&self, unit: &Arc<Unit>, link: &Link) {
        link.ready.store(true, SeqCst);
        if link.settling.swap(false, SeqCst) {
            let now = self.world.now();
            unit.with(|state, fx| state.settled(link.id, now, fx));
            self.world.rebalance();
        }
    }

    fn stream_limit(&mut self) {
        if let Some((unit, link)) = self.any_link(Some(true)) {
            let limit = [0, 1, 1, 2, 3, 100][self.world.below(6)];
            self.note(format!("{} allows {limit} streams", link.id));
            link.read.fetch_add(1, SeqCst);
            unit.with(|state, fx| {
                state.set_stream_limit(link.id, limit, fx);
                state.revived(fx);
            });
        }
    }

    fn suspects(&mut self) {
        if let Some((unit, link)) = self.any_link(Some(true)) {
            self.note(format!("{} is suspect", link.id));
            unit.with(|state, fx| state.suspect(link.id, fx));
        }
    }

    fn retires(&mut self) {
        if let Some((unit, link)) = self.any_link(None) {
            self.note(format!("{} has lived long enough", link.id));
            link.spent.store(true, SeqCst);
            unit.with(|state, fx| state.retire(link.id, fx));
        }
    }

    fn sweeps(&mut self) {
        let now = self.world.tick(Duration::from_millis(400));
        if let Some((unit, link)) = self.any_link(None) {
            let swept =
                unit.with(|state, fx| state.sweep(link.id, Duration::from_secs(1), now, fx));
            self.note(format!("{} is swept: {swept:?}", link.id));
        }
    }

    fn close(&mut self) {
        let number = self.world.below(self.protocols.len());
        self.note(format!("origin {number} closes"));
        self.world.unit(number).with(|state, fx| state.close(fx));
    }

    // ---- what must hold ----

    fn check(&mut self) {
        let units: Vec<Arc<Unit>> = self.world.units.lock().clone();
        let mut used = 0;
        let mut idle = 0;
        for unit in &units {
            let audit = unit.state.lock().audit();
            self.check_one(unit, &audit);
            used += audit.slots + audit.spare;
            idle += audit.idle;
            self.check_order(unit.number, audit.waiting);
        }
        let (max, total) = self.world.total.usage();
        assert!(total <= max, "{total} permits of {max} are in use");
        assert_eq!(total, used, "permits and what they are used for");
        assert_eq!(self.world.index.idle(), idle);
        assert!(idle <= self.world.max_idle, "{idle} connections idle");
        let short = self.world.total.short();
        assert!(short == 0 || idle == 0, "{short} are short and {idle} idle");
        let evicted = |live: &&Live| live.permit.is_some() && live.link.is_evicted();
        let coming = self.world.live.lock().iter().filter(evicted).count();
        assert!(
            self.world.total.evicting() <= coming,
            "a permit is expected that is gone"
        );
        self.left.clear();
    }

    fn check_one(&self, unit: &Unit, audit: &Audit) {
        let number = unit.number;
        let mine = |live: &&Live| live.unit == number && live.permit.is_some();
        let alive = self.world.live.lock().iter().filter(mine).count();
        let dials = self.dials.iter().filter(|dial| dial.unit == number).count();
        assert_eq!(audit.dialing, dials, "dials of origin {number}");
        assert_eq!(audit.slots, dials + alive, "slots of origin {number}");
        assert!(audit.slots + audit.spare <= unit.limits.connections);
        let idle = unit.idle.load(SeqCst);
        assert_eq!(usize::try_from(idle), Ok(audit.idle), "origin {number}");
        if audit.waiting.is_empty() {
            assert_eq!(audit.spare + audit.asked, 0, "permits without a use");
        } else {
            assert_eq!(audit.usable, 0, "origin {number}: waits beside an idle one");
            // A driver that is about to end says so.
            let driven = |live: &&Live| live.unit == number && !live.driver_ended;
            let drivers = self.world.live.lock().iter().filter(driven).count();
            let hopes = audit.slots + audit.spare + audit.asked + drivers;
            assert!(hopes > 0, "origin {number}: nothing is under way");
        }
        assert!(
            audit.failures <= audit.waiting.len(),
            "origin {number}: old failures"
        );
        self.check_woken(number, audit);
    }

    /// Who has something to collect, or a permit to dial with, is about to look.
    fn check_woken(&self, number: usize, audit: &Audit) {
        let mut someone = audit.spare == 0;
        for waiting in self.waiting.iter().filter(|w| w.unit == number) {
            let served = !audit.waiting.contains(&waiting.since);
            let woken = waiting.woken.is_set();
            let serial = waiting.ticket.serial();
            assert!(
                woken || !served,
                "origin {number}: {serial} sleeps over a grant"
            );
            someone |= woken && !served;
        }
        assert!(someone, "origin {number}: nobody was woken to dial");
    }

    /// Whoever was served came before all who still wait.
    fn check_order(&mut self, number: usize, now: Vec<Instant>) {
        let before = &self.queues[number];
        let gone = |at: &&Instant| !now.contains(at) && !self.left.contains(at);
        let last_served = before.iter().rfind(gone);
        if let (Some(served), Some(head)) = (last_served, now.first()) {
            assert!(served < head, "origin {number}: overtaken");
        }
        assert!(now.is_sorted(), "origin {number}: out of order");
        self.queues[number] = now;
    }

    // ---- the end ----

    /// All that is under way ends well: then nobody waits and nothing is lost.
    fn finish(mut self) {
        self.note("-- all that is under way ends".into());
        while self.settle() {
            self.check();
        }
        assert!(self.waiting.is_empty(), "someone waits for ever");
        for unit in self.world.units.lock().iter() {
            let counts = unit.state.lock().counts();
            assert_eq!((counts.active, counts.waiting, counts.dialing), (0, 0, 0));
            assert_eq!(counts.streams, 0);
        }
        let alive = self.world.live.lock().len();
        assert_eq!(self.world.total.usage().1, alive);
        self.note("-- all close".into());
        let units: Vec<Arc<Unit>> = self.world.units.lock().clone();
        for unit in units {
            unit.with(|state, fx| state.close(fx));
        }
        while self.world.go_on_ending() {}
        self.check();
        assert_eq!(self.world.total.usage().1, 0, "permits are left");
        assert!(self.world.live.lock().is_empty(), "connections are left");
    }

    /// One thing that is under way goes on; whether there was one.
    fn settle(&mut self) -> bool {
        if let Some(at) = self.waiting.iter().position(|w| w.woken.is_set()) {
            self.look(at);
            return true;
        }
        if let Some(dial) = self.dials.pop() {
            self.connect(dial);
            return true;
        }
        if self.world.go_on_ending() {
            return true;
        }
        let unready = |live: &Live| {
            let limited = live.link.shared && live.link.read.load(SeqCst) < 1 << 32;
            limited || !live.link.ready.load(SeqCst)
        };
        let found = {
            let live = self.world.live.lock();
            let found = live.iter().find(|live| unready(live));
            found.map(|live| (live.unit, Arc::clone(&live.link)))
        };
        if let Some((number, link)) = found {
            let unit = self.world.unit(number);
            self.make_ready(&unit, &link);
            if link.shared {
                link.read.fetch_add(1 << 32, SeqCst);
                unit.with(|state, fx| {
                    state.set_stream_limit(link.id, 1, fx);
                    state.revived(fx);
                });
            }
            return true;
        }
        if let Some((number, handle)) = self.leases.pop() {
            self.world.unit(number).put_back(handle);
            return true;
        }
        false
    }
}
