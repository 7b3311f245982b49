//! What happens at random.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use standpipe_core::{Error, ErrorKind};
use tokio::time::Duration;

use super::super::fake::{Fake, Link, Look, Woken};
use super::super::state::{Handle, Link as _, Sharing};
use super::world::{Live, Unit, end_slot};
use super::{Dial, Run, Waiting};
use crate::events::CloseReason;

impl Run {
    pub(super) fn start(&mut self) {
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
                assert!(self.queues[number].len() >= unit.limits.lock().waiting);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Shutdown),
        }
    }

    pub(super) fn look_at_random(&mut self) {
        let woken = |at: &usize| self.spurious || self.waiting[*at].woken.is_set();
        let candidates: Vec<usize> = (0..self.waiting.len()).filter(woken).collect();
        if let Some(at) = self.pick(candidates.len()) {
            self.look(candidates[at]);
        }
    }

    /// Looks until there is nothing to see, as `OriginPool` does.
    pub(super) fn look(&mut self, at: usize) {
        let waiting = &self.waiting[at];
        let (number, ticket) = (waiting.unit, waiting.ticket);
        let woken = Arc::clone(&waiting.woken);
        let unit = self.world.unit(number);
        loop {
            let look = woken.look(&mut unit.state.lock(), ticket);
            self.note(format!(
                "origin {number}: {} sees {}",
                ticket.serial(),
                match &look {
                    Look::Nothing => "nothing".into(),
                    Look::Served(handle) => format!("connection {}", handle.link.id),
                    Look::Failed(error) => format!("{:?}", error.kind()),
                    Look::Dial(..) => "a permit and dials".into(),
                }
            ));
            match look {
                Look::Nothing => return,
                Look::Dial(permit, tag) => self.dials.push(Dial {
                    unit: number,
                    permit,
                    tag,
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

    pub(super) fn cancel(&mut self) {
        if let Some(at) = self.pick(self.waiting.len()) {
            let waiting = self.waiting.swap_remove(at);
            let (number, serial) = (waiting.unit, waiting.ticket.serial());
            self.note(format!("origin {number}: {serial} leaves"));
            self.left.push(waiting.since);
            self.world.unit(waiting.unit).leave(waiting.ticket);
        }
    }

    pub(super) fn end_lease(&mut self) {
        let Some(at) = self.pick(self.leases.len()) else {
            return;
        };
        let (number, handle) = self.leases.swap_remove(at);
        let how = self.world.below(8);
        let link = Arc::clone(&handle.link);
        self.note(format!("origin {number}: {} back, {how}", link.id));
        match how {
            0 if !link.shared => {
                handle.link().let_go();
                return drop(handle);
            }
            1 => link.spent.store(true, SeqCst),
            2 | 3 if !link.shared => link.ready.store(false, SeqCst),
            _ => {}
        }
        self.world.unit(number).put_back(handle);
    }

    pub(super) fn end_dial_at_random(&mut self) {
        if let Some(at) = self.pick(self.dials.len()) {
            let dial = self.dials.swap_remove(at);
            if self.world.below(4) == 0 {
                self.fail(dial);
            } else {
                self.connect(dial);
            }
        }
    }

    pub(super) fn fail(&mut self, dial: Dial) {
        let unit = self.world.unit(dial.unit);
        let error = Error::new(ErrorKind::Connect);
        let io_first = self.world.below(2) == 0;
        self.note(format!(
            "origin {}: a dial fails, io first: {io_first}",
            dial.unit
        ));
        if io_first {
            end_slot(&unit, dial.permit, None);
            unit.with(|state, fx| state.dial_failed(error, dial.tag, fx));
        } else {
            unit.with(|state, fx| state.dial_failed(error, dial.tag, fx));
            end_slot(&unit, dial.permit, None);
        }
    }

    pub(super) fn connect(&mut self, dial: Dial) {
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
        unit.with(|state, fx| state.dialed(handle, dial.tag, sharing, now, fx));
        self.world.rebalance();
    }

    /// A connection whose driver runs, at random, with its origin.
    pub(super) fn any_link(&self, shared: Option<bool>) -> Option<(Arc<Unit>, Arc<Link>)> {
        let live = self.world.live.lock();
        let fits = |live: &&Live| {
            !live.driver_ended && shared.is_none_or(|shared| shared == live.link.shared)
        };
        let fitting: Vec<&Live> = live.iter().filter(fits).collect();
        let entry = fitting.get(self.pick(fitting.len())?)?;
        Some((self.world.unit(entry.unit), Arc::clone(&entry.link)))
    }

    pub(super) fn peer_closes(&mut self) {
        if let Some((_, link)) = self.any_link(None) {
            self.note(format!("the peer closes {}", link.id));
            let mut live = self.world.live.lock();
            for live in live.iter_mut().filter(|live| live.link.id == link.id) {
                live.ending = true;
            }
        }
    }

    pub(super) fn becomes_ready(&mut self) {
        if let Some((unit, link)) = self.any_link(Some(false)) {
            self.note(format!("{} becomes ready", link.id));
            self.make_ready(&unit, &link);
        }
    }

    /// The driver becomes ready and says so if it was asked to.
    pub(super) fn make_ready(&self, unit: &Arc<Unit>, link: &Link) {
        link.ready.store(true, SeqCst);
        if link.settling.swap(false, SeqCst) {
            let now = self.world.now();
            unit.with(|state, fx| state.settled(link.id, now, fx));
            self.world.rebalance();
        }
    }

    pub(super) fn stream_limit(&mut self) {
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

    pub(super) fn suspects(&mut self) {
        if let Some((unit, link)) = self.any_link(Some(true)) {
            self.note(format!("{} is suspect", link.id));
            unit.with(|state, fx| state.suspect(link.id, fx));
        }
    }

    pub(super) fn retires(&mut self) {
        if let Some((unit, link)) = self.any_link(None) {
            self.note(format!("{} has lived long enough", link.id));
            link.spent.store(true, SeqCst);
            unit.with(|state, fx| state.retire(link.id, CloseReason::Lifetime, fx));
        }
    }

    pub(super) fn sweeps(&mut self) {
        let now = self.world.tick(Duration::from_millis(400));
        if let Some((unit, link)) = self.any_link(None) {
            let swept =
                unit.with(|state, fx| state.sweep(link.id, Duration::from_secs(1), now, fx));
            self.note(format!("{} is swept: {swept:?}", link.id));
        }
    }

    pub(super) fn close(&mut self) {
        let number = self.world.below(self.protocols.len());
        self.note(format!("origin {number} closes"));
        self.world.unit(number).with(|state, fx| state.close(fx));
    }
}
