use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use standpipe_core::Origin;

use crate::clock::nanos;
use crate::eviction::OnEvict;
use crate::{Eviction, HostRouter, HostRouterLayer, NewHost};

const MAX_HOSTS: usize = 10_000;
const IDLE_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// Settings of a [`HostRouter`] or a [`HostRouterLayer`].
///
/// ```
/// use std::time::Duration;
/// use standpipe_router::{Eviction, HostRouter};
///
/// let builder = HostRouter::builder()
///     .max_hosts(1_000)
///     .idle_timeout(Duration::from_secs(600))
///     .on_evict(|origin, why: Eviction| eprintln!("{origin} left: {why:?}"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct HostRouterBuilder {
    settings: Settings,
}

impl HostRouterBuilder {
    /// The most hosts to know; 10,000 unless set. When another one comes, the one that was used
    /// least recently goes.
    ///
    /// A host with a request in flight does not go. So while all are busy there may be more than
    /// `hosts`; later calls make that good. A search for an idle host gives up after sixteen busy
    /// ones, so with very many busy hosts the bound may be passed for a while although some are
    /// idle.
    ///
    /// # Panics
    ///
    /// When `hosts` is zero.
    #[must_use]
    pub fn max_hosts(mut self, hosts: usize) -> Self {
        assert!(hosts > 0, "max_hosts is 0; at least one host must be known");
        self.settings.max_hosts = hosts;
        self
    }

    /// How long a host is kept after the end of its last request; one hour unless set.
    ///
    /// What the host's stack knows, such as an open circuit or a used up quota, goes with it: set
    /// no less than the longest time that must be remembered. An hour outlasts the usual open
    /// times and all quotas of up to an hour.
    ///
    /// There is no task in the background: other requests look for idle hosts, at each first
    /// request to a host and every eighth of this time. Where no request comes, none is evicted.
    #[must_use]
    pub fn idle_timeout(mut self, after: Duration) -> Self {
        self.settings.idle = Some(nanos(after));
        self
    }

    /// Keeps hosts however long they are idle; the bound on their number stays.
    #[must_use]
    pub fn no_idle_timeout(mut self) -> Self {
        self.settings.idle = None;
        self
    }

    /// What to call when a host left, for whatever reason, and the router has dropped its service;
    /// under no lock, in the call of the request that caused it.
    #[must_use]
    pub fn on_evict(mut self, hook: impl Fn(&Origin, Eviction) + Send + Sync + 'static) -> Self {
        self.settings.on_evict = Some(Arc::new(hook));
        self
    }

    /// A router whose hosts' services are made by `new_host`.
    pub fn build<F, S>(self, new_host: F) -> HostRouter<F, S>
    where
        F: Fn(&Origin) -> S,
    {
        self.build_with(new_host)
    }

    /// A router whose hosts' services are made by a [`NewHost`] that is no closure, such as
    /// [`MakeHost`](crate::MakeHost).
    pub fn build_with<N: NewHost>(self, new_host: N) -> HostRouter<N, N::Service> {
        HostRouter::from_parts(new_host, self.settings)
    }

    /// A layer that wraps a clone of the inner service in what `layer` gives for the host.
    pub fn layer<F, L>(self, layer: F) -> HostRouterLayer<F>
    where
        F: Fn(&Origin) -> L,
    {
        HostRouterLayer::from_parts(layer, self.settings)
    }
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) max_hosts: usize,
    /// In nanoseconds.
    pub(crate) idle: Option<u64>,
    pub(crate) on_evict: Option<OnEvict>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_hosts: MAX_HOSTS,
            idle: Some(nanos(IDLE_TIMEOUT)),
            on_evict: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("max_hosts", &self.max_hosts)
            .field("idle_timeout", &self.idle.map(Duration::from_nanos))
            .field("on_evict", &self.on_evict.is_some())
            .finish()
    }
}
