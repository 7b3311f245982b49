use std::fmt;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, Script};
use standpipe_core::sync::Mutex;
use standpipe_rate_limit::{Answer, Ask, MemoryStore, Store, Verdict};
use tokio::time::{Instant, timeout};

use crate::breaker::{Breaker, Fault};
use crate::event::RedisEvent;
use crate::script;

/// One limit for a fleet, kept in Redis.
///
/// All limiters that have a store of the same name on the same Redis share their quotas, which have
/// to be the same and in the same order. Each admission is one script, which Redis runs atomically
/// and by its own clock: what the clocks of the clients say does not matter. A quota that is not
/// used leaves no key behind.
///
/// While Redis is away or slow, each request waits for it no longer than the
/// [`timeout`](RedisStore::timeout), and a dead one is asked by one request in each
/// [`probe_every`](RedisStore::probe_every) alone. The rest are admitted by the fallback: this
/// process's share of the quotas, unless [`fail_open`](RedisStore::fail_open) or
/// [`fail_closed`](RedisStore::fail_closed) is set. Once Redis answers it decides again. If it has
/// lost its state, the buckets are full: one burst of each quota too many at the most.
///
/// ```no_run
/// use standpipe_rate_limit::{Quota, RateLimitLayer};
/// use standpipe_redis::RedisStore;
/// use std::num::NonZeroU32;
///
/// # fn main() -> Result<(), redis::RedisError> {
/// let n = |n| NonZeroU32::new(n).unwrap();
/// let client = redis::Client::open("redis://redis.internal/")?;
/// // Eight processes: each goes on with an eighth while Redis is away.
/// let store = RedisStore::new(client, "api.example.com", n(8))
///     .on_event(|event| eprintln!("rate limit: {event:?}"));
/// let layer = RateLimitLayer::builder()
///     .requests(Quota::per_second(n(200)).burst(n(20)))
///     .store(store)
///     .build();
/// # let _ = layer;
/// # Ok(()) }
/// ```
///
/// # Clone
///
/// All clones share one connection and one view of whether Redis is there.
#[derive(Clone)]
pub struct RedisStore {
    settings: Arc<Settings>,
    shared: Arc<Shared>,
}

type Hook = Arc<dyn Fn(&RedisEvent) + Send + Sync>;

#[derive(Clone)]
struct Settings {
    client: Client,
    name: String,
    fallback: Fallback,
    timeout: Duration,
    probe_every: Duration,
    on_event: Option<Hook>,
}

#[derive(Clone, Copy, Debug)]
enum Fallback {
    Open,
    Closed,
    Share,
}

struct Shared {
    script: Script,
    /// Made on first use, on the runtime of that use, and anew after a failure.
    manager: Mutex<Option<ConnectionManager>>,
    breaker: Mutex<Breaker>,
    share: MemoryStore,
}

impl RedisStore {
    /// The limit of this `name`, shared by a fleet of so many `processes`, each of which goes on with
    /// that part of the quotas while Redis is away.
    ///
    /// It connects with the first request. Redis has to be of version 5 or newer, or what speaks
    /// its protocol and runs its scripts.
    pub fn new(client: Client, name: impl Into<String>, processes: NonZeroU32) -> Self {
        let settings = Settings {
            client,
            name: name.into(),
            fallback: Fallback::Share,
            timeout: Duration::from_millis(50),
            probe_every: Duration::from_secs(1),
            on_event: None,
        };
        Self {
            settings: Arc::new(settings),
            shared: Arc::new(Shared {
                script: script::admission(),
                manager: Mutex::new(None),
                breaker: Mutex::new(Breaker::default()),
                share: MemoryStore::share_of(processes),
            }),
        }
    }

    /// While Redis is away every request is admitted.
    #[must_use]
    pub fn fail_open(self) -> Self {
        self.with(|settings| settings.fallback = Fallback::Open)
    }

    /// While Redis is away every request is refused;
    /// [`retry_after`](standpipe_core::Error::retry_after) is when Redis will be asked again, where
    /// that is known.
    #[must_use]
    pub fn fail_closed(self) -> Self {
        self.with(|settings| settings.fallback = Fallback::Closed)
    }

    /// The longest that a request waits for Redis: 50 ms unless set.
    #[must_use]
    pub fn timeout(self, longest: Duration) -> Self {
        self.with(|settings| settings.timeout = longest)
    }

    /// How often a lost Redis is tried again, by one request each time: every second unless set.
    #[must_use]
    pub fn probe_every(self, pause: Duration) -> Self {
        self.with(|settings| settings.probe_every = pause)
    }

    /// Called when Redis is lost and when it is back. A panic ends the request that found it out.
    #[must_use]
    pub fn on_event(self, hook: impl Fn(&RedisEvent) + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.on_event = Some(Arc::new(hook)))
    }

    fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }

    async fn admit_one(&self, ask: Ask) -> Answer {
        let probe_every = self.settings.probe_every;
        let asked = self
            .shared
            .breaker
            .lock()
            .admit(Instant::now(), probe_every);
        if let Err(wait) = asked {
            return self.fall_back(&ask, Some(wait));
        }
        match timeout(self.settings.timeout, self.ask(&ask)).await {
            Ok(Ok(verdict)) => {
                let away = self.shared.breaker.lock().answered(Instant::now());
                if let Some(after) = away {
                    self.tell(|| RedisEvent::Back { after });
                }
                return Answer::new(verdict);
            }
            Ok(Err(error)) if error.is_timeout() => self.failed(Fault::Slow, || error.to_string()),
            Ok(Err(error)) => self.failed(Fault::Gone, || error.to_string()),
            Err(_) => self.failed(Fault::Slow, || {
                format!("no answer in {:?}", self.settings.timeout)
            }),
        }
        self.fall_back(&ask, None)
    }

    async fn ask(&self, ask: &Ask) -> Result<Verdict, RedisError> {
        let mut manager = self.manager()?;
        let call = script::invocation(&self.shared.script, &self.settings.name, ask);
        call.invoke_async(&mut manager).await.map(script::verdict)
    }

    fn manager(&self) -> Result<ConnectionManager, RedisError> {
        let mut manager = self.shared.manager.lock();
        if let Some(manager) = &*manager {
            return Ok(manager.clone());
        }
        // The breaker says when to try again.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(self.settings.timeout))
            .set_response_timeout(Some(self.settings.timeout));
        let made = ConnectionManager::new_lazy_with_config(self.settings.client.clone(), config)?;
        Ok(manager.insert(made).clone())
    }

    fn failed(&self, fault: Fault, error: impl FnOnce() -> String) {
        let probe_every = self.settings.probe_every;
        let mut breaker = self.shared.breaker.lock();
        let lost = breaker.failed(Instant::now(), fault, probe_every);
        drop(breaker);
        // The next request begins with a new connection: this one may belong to a runtime that has
        // ended, or lead to a server that is no longer there.
        let manager = self.shared.manager.lock().take();
        drop(manager);
        if lost {
            self.tell(|| RedisEvent::Lost { error: error() });
        }
    }

    fn fall_back(&self, ask: &Ask, retry_after: Option<Duration>) -> Answer {
        match self.settings.fallback {
            Fallback::Open => {
                let after = Duration::ZERO;
                Answer::new(Verdict::Admitted { after }).uncorrected()
            }
            Fallback::Closed => Answer::new(Verdict::Refused { retry_after }).uncorrected(),
            Fallback::Share => Answer::new(self.shared.share.admit_at(Instant::now(), ask)),
        }
    }

    fn tell(&self, event: impl FnOnce() -> RedisEvent) {
        if let Some(hook) = &self.settings.on_event {
            hook(&event());
        }
    }
}

impl Store for RedisStore {
    fn admit(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(self.admit_one(ask))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the client, whose address may hold a password.
        f.debug_struct("RedisStore")
            .field("name", &self.settings.name)
            .field("fallback", &self.settings.fallback)
            .field("timeout", &self.settings.timeout)
            .field("probe_every", &self.settings.probe_every)
            .finish_non_exhaustive()
    }
}
