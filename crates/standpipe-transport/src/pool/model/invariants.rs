//! What must hold after each step, and at the end.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use tokio::time::Instant;

use super::super::state::Audit;
use super::Run;
use super::world::{Live, Unit};

impl Run {
    pub(super) fn check(&mut self) {
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
        // A limit that was lowered takes nothing away, and lets nothing be added.
        let ceiling = self.world.ceiling.lock().max(max);
        assert!(total <= ceiling, "{total} permits of {max} are in use");
        *self.world.ceiling.lock() = total;
        assert_eq!(total, used, "permits and what they are used for");
        assert_eq!(self.world.index.idle(), idle);
        assert!(
            idle <= *self.world.max_idle.lock(),
            "{idle} connections idle"
        );
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

    pub(super) fn check_one(&self, unit: &Unit, audit: &Audit) {
        let number = unit.number;
        let mine = |live: &&Live| live.unit == number && live.permit.is_some();
        let alive = self.world.live.lock().iter().filter(mine).count();
        let dials = self.dials.iter().filter(|dial| dial.unit == number).count();
        assert_eq!(audit.dialing, dials, "dials of origin {number}");
        assert_eq!(audit.slots, dials + alive, "slots of origin {number}");
        let (permits, limit) = (audit.slots + audit.spare, unit.limits.lock().connections);
        let ceiling = unit.ceiling.swap(permits, SeqCst).max(limit);
        assert!(
            permits <= ceiling,
            "{permits} of {limit} for origin {number}"
        );
        assert_eq!(audit.live, alive, "connections of origin {number}");
        let live = u64::try_from(audit.live).unwrap();
        assert_eq!(
            audit.totals.created,
            audit.totals.closed.total() + live,
            "origin {number}: created, and closed or alive"
        );
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
    pub(super) fn check_woken(&self, number: usize, audit: &Audit) {
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
    pub(super) fn check_order(&mut self, number: usize, now: Vec<Instant>) {
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
    pub(super) fn finish(mut self) {
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
    pub(super) fn settle(&mut self) -> bool {
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
