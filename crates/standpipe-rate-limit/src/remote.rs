//! Admission by a [`Store`].

use std::sync::Arc;
use std::time::Duration;

use standpipe_core::Error;
use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep_until, timeout_at};

use crate::gcra::{Pace, nanos};
use crate::shared::Shared;
use crate::store::{Ask, Charge, Store, Verdict};
use crate::{Quota, Unit, error};

/// How many requests of this process ask at once, or hold a place that lies ahead. All others stand
/// in line behind them, so that a pause finds few places to waste.
const AHEAD: usize = 8;

/// How long a place that nobody used can still be used.
const STALE: u64 = 1_000_000_000;

#[derive(Debug)]
pub(crate) struct Remote {
    store: Arc<dyn Store>,
    quotas: Vec<(Quota, Unit)>,
    /// First in, first out.
    turns: Semaphore,
    waiting: AtomicUsize,
    /// The latest place that was given.
    horizon: AtomicU64,
    /// Places of requests that went away before they used them.
    spare: Mutex<Vec<Place>>,
    correction: AtomicI64,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    at: u64,
    cost: u32,
}

impl Remote {
    pub(crate) fn new(store: Arc<dyn Store>, quotas: Vec<(Quota, Unit)>) -> Self {
        Self {
            store,
            quotas,
            turns: Semaphore::new(AHEAD),
            waiting: AtomicUsize::new(0),
            horizon: AtomicU64::new(0),
            spare: Mutex::new(Vec::new()),
            correction: AtomicI64::new(0),
        }
    }

    /// Whether every quota can hold `cost`; else the burst of the first that cannot.
    pub(crate) fn check(&self, cost: u32) -> Result<(), u64> {
        let shallow = self.quotas.iter().find(|(quota, unit)| {
            let units = units(*unit, cost);
            units > quota.burst_size().get()
        });
        match shallow {
            Some((quota, _)) => Err(u64::from(quota.burst_size().get())),
            None => Ok(()),
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Takes `units` more with the next request, or gives them back.
    pub(crate) fn correct(&self, units: i64) {
        let add = |sum: i64| Some(sum.saturating_add(units));
        let _ = self
            .correction
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
    }

    /// The turn of the last in line, at the earliest.
    fn earliest(&self) -> u64 {
        let waiting = self.waiting.load(Ordering::Relaxed) as u64;
        let per_one = |(quota, _): &(Quota, Unit)| Pace::of(*quota).time_of(waiting);
        let line = self.quotas.iter().map(per_one).max().unwrap_or(0);
        self.horizon.load(Ordering::Relaxed).saturating_add(line)
    }

    fn ask(&self, cost: u32, longest: Duration, correction: i64) -> Ask {
        let charge = |&(quota, unit): &(Quota, Unit)| Charge {
            quota,
            units: units(unit, cost),
            correction: if unit == Unit::Cost { correction } else { 0 },
        };
        Ask::new(self.quotas.iter().map(charge).collect(), longest)
    }

    /// A place that another request gave up and that suits one of `cost`.
    fn take_spare(&self, cost: u32, now: u64, give_up: u64) -> Option<u64> {
        let mut spare = self.spare.lock();
        spare.retain(|place| place.at.saturating_add(STALE) > now);
        let suits = |place: &Place| place.cost == cost && place.at.max(now) <= give_up;
        let index = spare.iter().position(suits)?;
        Some(spare.swap_remove(index).at)
    }
}

fn units(unit: Unit, cost: u32) -> u32 {
    match unit {
        Unit::Request => 1,
        Unit::Cost => cost,
    }
}

/// Waits until the store has admitted a request of `cost` and its place has come.
///
/// # Cancel safety
///
/// Dropped while it stands in line it takes nothing; dropped while its place lies ahead it leaves
/// the place to the next; dropped while the store is being asked it may lose its own units.
pub(crate) async fn admit(shared: Arc<Shared>, cost: u32, give_up: u64) -> Result<(), Error> {
    let Some(remote) = &shared.remote else {
        return Ok(());
    };
    let _turn = turn(&shared, remote, give_up).await?;
    loop {
        wait_out_pause(&shared, give_up).await?;
        let now = shared.now();
        let at = match remote.take_spare(cost, now, give_up) {
            Some(at) => at,
            None => ask(&shared, remote, cost, give_up).await?,
        };
        let mut place = Held {
            remote,
            place: Some(Place { at, cost }),
        };
        if at > give_up {
            // The answer took so long that the place lies too far.
            return Err(error::too_long(Duration::from_nanos(at - now)));
        }
        if at > shared.now() {
            shared.note_wait(Duration::from_nanos(at.saturating_sub(now)));
            sleep_until(shared.instant(at)).await;
        }
        place.place = None;
        // The server had us pause meanwhile, and all who hold places would go out at its end: this
        // one is lost, and another is asked for then.
        if shared.limiter.local.paused_until() <= shared.now() {
            return Ok(());
        }
    }
}

/// Stands in line for the right to ask.
async fn turn<'a>(
    shared: &Shared,
    remote: &'a Remote,
    give_up: u64,
) -> Result<Option<SemaphorePermit<'a>>, Error> {
    // Who never waits holds no place that lies ahead, and need not be kept from asking.
    if shared.never_waits() {
        return Ok(None);
    }
    if let Ok(turn) = remote.turns.try_acquire() {
        return Ok(Some(turn));
    }
    let earliest = remote.earliest();
    let too_long = || error::too_long(Duration::from_nanos(earliest.saturating_sub(shared.now())));
    if earliest > give_up {
        return Err(too_long());
    }
    let _waiting = Waiting::begin(&remote.waiting);
    match timeout_at(shared.instant(give_up), remote.turns.acquire()).await {
        Ok(turn) => Ok(turn.ok()),
        Err(_) => Err(too_long()),
    }
}

async fn wait_out_pause(shared: &Shared, give_up: u64) -> Result<(), Error> {
    loop {
        let (until, now) = (shared.limiter.local.paused_until(), shared.now());
        if until <= now {
            return Ok(());
        }
        if until > give_up {
            return Err(error::too_long(Duration::from_nanos(until - now)));
        }
        sleep_until(shared.instant(until)).await;
    }
}

/// Asks the store; gives the instant of the place.
async fn ask(shared: &Shared, remote: &Remote, cost: u32, give_up: u64) -> Result<u64, Error> {
    let now = shared.now();
    let longest = Duration::from_nanos(give_up.saturating_sub(now));
    let mut correction = Correction::take(remote);
    let ask = remote.ask(cost, longest, correction.units);
    let admit = remote.store.admit(ask);
    // A store is to bound its own time. One that does not holds no request beyond its deadline.
    let answer = match give_up {
        _ if give_up <= now || give_up == u64::MAX => admit.await,
        _ => timeout_at(shared.instant(give_up), admit)
            .await
            .map_err(|_| error::too_long(longest))?,
    };
    if !answer.corrected {
        remote.correct(correction.units);
    }
    correction.units = 0;
    match answer.verdict {
        // However long the answer took: it may go out.
        Verdict::Admitted {
            after: Duration::ZERO,
        } => Ok(0),
        Verdict::Admitted { after } => {
            let at = shared.now().saturating_add(nanos(after));
            remote.horizon.fetch_max(at, Ordering::Relaxed);
            Ok(at)
        }
        Verdict::Refused { retry_after } => Err(error::refused(retry_after)),
    }
}

/// A place that lies ahead; it is left to the next when its request goes away.
struct Held<'a> {
    remote: &'a Remote,
    place: Option<Place>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.remote.spare.lock().push(place);
        }
    }
}

/// What was settled since the last request to the store. When the request goes away before the
/// answer nobody knows whether it was applied: then a debt comes again, and what was given back does
/// not.
struct Correction<'a> {
    remote: &'a Remote,
    units: i64,
}

impl<'a> Correction<'a> {
    fn take(remote: &'a Remote) -> Self {
        Self {
            remote,
            units: remote.correction.swap(0, Ordering::AcqRel),
        }
    }
}

impl Drop for Correction<'_> {
    fn drop(&mut self) {
        if self.units > 0 {
            self.remote.correct(self.units);
        }
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
