use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use standpipe_core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use standpipe_core::{Closed, Closing, Deadline, Error};
use tokio::time::Instant;

use crate::gcra::{FAR, nanos};
use crate::hooks::Hooks;
use crate::local::{Joined, Local, ServerPace};
use crate::remote::Remote;
use crate::server::ServerWord;
use crate::{Quota, Store, Unit, error};

/// What a response's headers say it cost in the end.
pub(crate) type ActualCost = Arc<dyn Fn(&HeaderMap) -> Option<u32> + Send + Sync>;

pub(crate) type WallClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// All that is set on a layer, but for the types.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) quotas: Vec<(Quota, Unit)>,
    pub(crate) max_wait: Option<Duration>,
    pub(crate) max_waiting: usize,
    pub(crate) word: Option<ServerWord>,
    pub(crate) actual: Option<ActualCost>,
    pub(crate) clock: Option<WallClock>,
    pub(crate) closing: Option<Closing>,
    pub(crate) hooks: Hooks,
    pub(crate) store: Option<Arc<dyn Store>>,
    /// The limiter that goes on under these settings; a new one where there is none.
    pub(crate) keep: Option<Arc<Limiter>>,
}

/// What all clones of a service share.
pub(crate) struct Shared {
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) remote: Option<Remote>,
    settings: Settings,
}

/// What goes on when the settings change: the buckets, the line and the counts.
#[derive(Debug)]
pub(crate) struct Limiter {
    epoch: Instant,
    pub(crate) local: Local,
    /// Whether a quota counts cost, so that answers have something to settle.
    counts_cost: AtomicBool,
    waited: AtomicU64,
    rejected: AtomicU64,
}

impl Limiter {
    fn new(quotas: &[(Quota, Unit)], max_waiting: usize) -> Self {
        Self {
            epoch: Instant::now(),
            local: Local::new(quotas, max_waiting),
            counts_cost: AtomicBool::new(false),
            waited: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
        }
    }

    /// Nanoseconds since the epoch.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.since_epoch(Instant::now())
    }

    #[inline]
    fn since_epoch(&self, instant: Instant) -> u64 {
        nanos(instant.saturating_duration_since(self.epoch))
    }

    pub(crate) fn note_quotas(&self, quotas: &[(Quota, Unit)]) {
        let counts_cost = quotas.iter().any(|&(_, unit)| unit == Unit::Cost);
        self.counts_cost.store(counts_cost, Ordering::Relaxed);
    }
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        let remote = settings
            .store
            .clone()
            .map(|store| Remote::new(store, settings.quotas.clone()));
        // With a store this process keeps no bucket: what is left here is the line that stands
        // while the server has us pause.
        let quotas: &[_] = match remote {
            Some(_) => &[],
            None => &settings.quotas,
        };
        let most = settings.max_waiting;
        let (limiter, changed) = match &settings.keep {
            Some(limiter) => {
                let changed = limiter.local.configure(limiter.now(), quotas, most);
                (limiter.clone(), changed)
            }
            None => (Arc::new(Limiter::new(quotas, most)), true),
        };
        if changed || remote.is_some() {
            limiter.note_quotas(&settings.quotas);
        }
        Self {
            limiter,
            remote,
            settings,
        }
    }

    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.limiter.now()
    }

    /// The instant of `at`, on tokio's clock.
    pub(crate) fn instant(&self, at: u64) -> Instant {
        Deadline::after_instant(self.limiter.epoch, Duration::from_nanos(at)).instant()
    }

    /// Until when a request of `deadline` that came `now` may wait.
    pub(crate) fn give_up(&self, now: u64, deadline: Option<Deadline>) -> u64 {
        // What is farther than our clock reads is never.
        let or_never = |time: u64| if time >= FAR { u64::MAX } else { time };
        let by_wait = match self.settings.max_wait {
            Some(max_wait) => now.saturating_add(or_never(nanos(max_wait))),
            None => u64::MAX,
        };
        deadline.map_or(by_wait, |deadline| {
            by_wait.min(or_never(self.limiter.since_epoch(deadline.instant())))
        })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.settings
            .closing
            .as_ref()
            .is_some_and(Closing::is_closed)
    }

    /// Ready once nobody is to wait any more.
    pub(crate) fn closed(&self) -> Option<Closed> {
        self.settings.closing.as_ref().map(Closing::closed)
    }

    pub(crate) fn never_waits(&self) -> bool {
        self.settings.max_wait == Some(Duration::ZERO)
    }

    #[inline]
    pub(crate) fn counts_cost(&self) -> bool {
        self.limiter.counts_cost.load(Ordering::Relaxed)
    }

    /// Whether anything is done with answers.
    #[inline]
    pub(crate) fn wants_answers(&self) -> bool {
        self.settings.word.is_some() || self.counts_cost()
    }

    /// Refuses what could never be admitted.
    pub(crate) fn check(&self, cost: u32) -> Result<(), Error> {
        if cost == 0 {
            return Err(error::no_cost());
        }
        let checked = match &self.remote {
            Some(remote) => remote.check(cost),
            None => self.limiter.local.check(cost),
        };
        checked.map_err(|burst| error::over_burst(cost, burst))
    }

    /// What a refusal to join is as an error.
    pub(crate) fn refusal(&self, joined: Joined) -> Option<Error> {
        match joined {
            Joined::Admitted | Joined::Waiting(..) => None,
            Joined::TooLong(wait) => Some(error::too_long(Duration::from_nanos(wait))),
            Joined::Full(wait) => {
                let max = self.settings.max_waiting;
                Some(error::full(Duration::from_nanos(wait), max))
            }
        }
    }

    /// Counts and tells of a wait.
    pub(crate) fn note_wait(&self, wait: Duration) {
        self.limiter.waited.fetch_add(1, Ordering::Relaxed);
        if let Some(hook) = &self.settings.hooks.wait {
            hook(wait);
        }
    }

    /// Counts and tells of a refusal, and gives it back.
    pub(crate) fn note_reject(&self, error: Error) -> Error {
        self.limiter.rejected.fetch_add(1, Ordering::Relaxed);
        if let Some(hook) = &self.settings.hooks.reject {
            hook(error.retry_after());
        }
        error
    }

    pub(crate) fn counts(&self) -> (u64, u64) {
        (
            self.limiter.waited.load(Ordering::Relaxed),
            self.limiter.rejected.load(Ordering::Relaxed),
        )
    }

    pub(crate) fn pause(&self, pause: Duration) {
        let now = self.now();
        self.limiter.local.pause(now, now + nanos(pause));
        if let Some(hook) = &self.settings.hooks.pause {
            hook(pause);
        }
    }

    /// Heeds what the head of an answer says.
    pub(crate) fn hear(&self, status: StatusCode, headers: &HeaderMap) {
        let Some(word) = &self.settings.word else {
            return;
        };
        let heard = word.hear(status, headers, || match &self.settings.clock {
            Some(clock) => clock(),
            None => SystemTime::now(),
        });
        if let Some(pause) = heard.pause {
            self.pause(pause);
        }
        for (unit, left) in [Unit::Request, Unit::Cost].into_iter().zip(heard.left) {
            let Some(left) = left else {
                continue;
            };
            // Without a cost function the tokens that are left say nothing of requests.
            if unit == Unit::Cost && !self.counts_cost() {
                continue;
            }
            let now = self.now();
            let until = now + nanos(left.within);
            let tighter = self.limiter.local.could_use(now, unit, left.units, until);
            let pace = tighter.then(|| ServerPace::new(now, left.units, until));
            self.limiter.local.set_server_pace(now, unit, pace);
        }
    }

    pub(crate) fn actual_cost(&self, headers: &HeaderMap) -> Option<u32> {
        self.settings.actual.as_ref()?(headers)
    }

    /// Takes `units` more, or gives them back.
    pub(crate) fn settle(&self, units: i64) {
        match &self.remote {
            Some(remote) => remote.correct(units),
            None => self.limiter.local.settle(self.now(), units),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("quotas", &self.settings.quotas)
            .field("max_wait", &self.settings.max_wait)
            .field("word", &self.settings.word)
            .field("limiter", &self.limiter)
            .finish_non_exhaustive()
    }
}
