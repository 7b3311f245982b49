use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use standpipe_circuit_breaker::CircuitBreakerConfig;
use standpipe_core::sync::RwLock;
use standpipe_core::sync::atomic::{AtomicBool, Ordering};
use standpipe_core::{Closing, Origin};
use standpipe_metrics::Registry;
use standpipe_rate_limit::RateLimitConfig;
use standpipe_retry::RetryPolicy;
use standpipe_timeout::RequestTimeout;

use super::default_headers::names;
use super::hooks::Hooks;
use crate::config::HostPattern;
use crate::decompress::DecompressLayer;
use crate::{HostConfig, PoolConfig};

/// What holds for one host, checked.
pub(crate) struct PerHost {
    pub(crate) headers: Option<Arc<HeaderMap>>,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) body_idle_timeout: Option<Duration>,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) max_connections: Option<NonZeroUsize>,
    pub(crate) retry: RetryPolicy,
    pub(crate) circuit_breaker: Option<CircuitBreakerConfig>,
    pub(crate) rate_limit: Option<RateLimitConfig>,
}

impl PerHost {
    /// How long a request to this host may take, where it does not say so itself.
    pub(crate) fn timeout(&self) -> RequestTimeout {
        let total = self.request_timeout.map(RequestTimeout::total);
        let timeout = total.unwrap_or_else(RequestTimeout::none);
        match self.body_idle_timeout {
            Some(idle) => timeout.body_idle(idle),
            None => timeout,
        }
    }
}

/// The default headers without their values: they may be secrets.
impl fmt::Debug for PerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerHost")
            .field("headers", &names(self.headers.as_ref()))
            .field("attempt_timeout", &self.attempt_timeout)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

/// The settings of all hosts.
#[derive(Debug)]
pub(crate) struct HostTable {
    /// For hosts without settings of their own.
    others: PerHost,
    /// What says more of an origin comes first.
    own: Vec<OwnSettings>,
}

/// What was set for one name.
#[derive(Debug)]
struct OwnSettings {
    pattern: HostPattern,
    settings: PerHost,
    /// As it was given, for the next table to be made from, and how many names were given before.
    given: (String, HostConfig),
    place: usize,
}

impl HostTable {
    pub(crate) fn new(others: PerHost) -> Self {
        let own = Vec::new();
        Self { others, own }
    }

    pub(crate) fn others(&self) -> &PerHost {
        &self.others
    }

    /// Sets what holds for `pattern`, in the place of what was set for the same before.
    pub(crate) fn set(
        &mut self,
        pattern: HostPattern,
        settings: PerHost,
        given: (String, HostConfig),
    ) {
        let place = self.own.len();
        match self.own.iter_mut().find(|own| own.pattern == pattern) {
            Some(own) => {
                own.settings = settings;
                own.given = given;
            }
            None => {
                let rank = pattern.rank();
                let after = |own: &OwnSettings| own.pattern.rank() >= rank;
                let at = self.own.partition_point(after);
                let own = OwnSettings {
                    pattern,
                    settings,
                    given,
                    place,
                };
                self.own.insert(at, own);
            }
        }
    }

    /// What was given, each name once, in the order in which they first were.
    pub(crate) fn given(&self) -> Vec<(String, HostConfig)> {
        let mut own: Vec<_> = self.own.iter().collect();
        own.sort_by_key(|own| own.place);
        own.into_iter().map(|own| own.given.clone()).collect()
    }

    pub(crate) fn of(&self, origin: &Origin) -> &PerHost {
        let own = self.own.iter().find(|own| own.pattern.matches(origin));
        own.map_or(&self.others, |own| &own.settings)
    }

    /// Whether a host has timeouts of the whole request that are not the pool's.
    pub(crate) fn has_totals(&self) -> bool {
        let differs = |own: &PerHost| {
            own.request_timeout != self.others.request_timeout
                || own.body_idle_timeout != self.others.body_idle_timeout
        };
        self.own.iter().any(|own| differs(&own.settings))
    }
}

/// What the makers of hosts' stacks share with the pool that configures them.
#[derive(Debug)]
pub(crate) struct HostSettings {
    table: RwLock<Arc<HostTable>>,
    /// Whether the table has totals of a host's own; read by each request.
    has_totals: AtomicBool,
    pub(crate) hooks: Hooks,
    pub(crate) registry: Registry,
    /// Whether anything is counted there.
    pub(crate) measured: bool,
    pub(crate) decompress: DecompressLayer,
    /// Ends the waits of limits and retries at a shutdown.
    pub(crate) closing: Closing,
}

impl HostSettings {
    pub(crate) fn new(
        table: HostTable,
        hooks: Hooks,
        registry: Registry,
        config: &PoolConfig,
    ) -> Self {
        Self {
            has_totals: AtomicBool::new(table.has_totals()),
            table: RwLock::new(Arc::new(table)),
            hooks,
            registry,
            measured: config.metrics,
            decompress: config.decompress_layer(),
            closing: Closing::new(),
        }
    }

    pub(crate) fn table(&self) -> Arc<HostTable> {
        Arc::clone(&self.table.read())
    }

    /// Puts `table` in the place of `seen`; says whether that was still the one in force.
    pub(crate) fn replace_table(&self, seen: &Arc<HostTable>, table: HostTable) -> bool {
        let has_totals = table.has_totals();
        let mut table = Arc::new(table);
        {
            let mut current = self.table.write();
            if !Arc::ptr_eq(&current, seen) {
                return false;
            }
            std::mem::swap(&mut *current, &mut table);
            self.has_totals.store(has_totals, Ordering::Relaxed);
        }
        // The one before: what a user's settings hold is not dropped under the lock.
        drop(table);
        true
    }

    #[inline]
    pub(crate) fn has_totals(&self) -> bool {
        self.has_totals.load(Ordering::Relaxed)
    }
}
