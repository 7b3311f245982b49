//! The hosts, and how a request's is found.

mod builder;
mod connections;
mod near;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use http::Uri;
use standpipe_core::sync::atomic::Ordering;
use standpipe_core::{Origin, OriginMap};

pub use builder::RegistryBuilder;
use connections::Connections;

use crate::host::{Handle, Host, HostRecorder};
use crate::label::OTHER;
use crate::redact::SecretKeys;
use crate::settings::Settings;
use crate::snapshot::{Figures, HostMetrics, PoolMetrics};

/// The counters of all hosts, and where else what happens is told.
///
/// Up to [`max_hosts`](RegistryBuilder::max_hosts) hosts have an entry each, who comes first; all
/// others share one, `_OTHER`. An entry stays as long as the registry, as the series of an exporter
/// do.
///
/// # Clone
///
/// Cheap; all clones are one registry.
///
/// ```
/// use standpipe_core::Origin;
/// use standpipe_metrics::Registry;
///
/// let registry = Registry::new();
/// let host = registry.host(&Origin::parse("https://api.example.com").unwrap());
/// host.limiter_rejected();
/// assert_eq!(registry.metrics().limiter.rejected, 1);
/// assert_eq!(registry.host_metrics("api.example.com").unwrap().limiter.rejected, 1);
/// ```
#[derive(Clone, Debug)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// No other registry of the process has it, not even after this one is gone.
    id: usize,
    settings: Arc<Settings>,
    max_hosts: usize,
    admitted: AtomicUsize,
    hosts: OriginMap<Arc<Host>>,
    other: Arc<Host>,
    connections: Connections,
}

static IDS: AtomicUsize = AtomicUsize::new(1);

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// A registry that counts and tells nobody.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Sets a registry up.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::new()
    }

    fn of(settings: Settings, max_hosts: usize) -> Self {
        let settings = Arc::new(settings);
        Self {
            inner: Arc::new(Inner {
                id: IDS.fetch_add(1, Ordering::Relaxed),
                other: Arc::new(Host::new(settings.clone(), None)),
                settings,
                max_hosts,
                admitted: AtomicUsize::new(0),
                hosts: OriginMap::new(),
                connections: Connections::new(),
            }),
        }
    }

    /// The entry of `origin`; the one for all others where the registry is full.
    pub fn host(&self, origin: &Origin) -> HostRecorder {
        HostRecorder::new(self.admit(origin))
    }

    /// What is counted, over all hosts.
    pub fn metrics(&self) -> PoolMetrics {
        let hosts = self.all_hosts();
        let panics = &self.inner.settings.recorder_panics;
        PoolMetrics::of(
            self.inner.hosts.len(),
            panics.load(Ordering::Relaxed),
            hosts.iter().map(|host| host.shared()),
        )
    }

    /// What is counted of one host: `"api.example.com"` for all its ports and schemes together, a
    /// URL for one origin, `"_OTHER"` for the hosts over the bound. None where nothing is known of
    /// it.
    pub fn host_metrics(&self, host: &str) -> Option<HostMetrics> {
        let found = self.known_as(host);
        let name = match &found[..] {
            [] => return None,
            [one] => one.shared().name(),
            [first, ..] => first.shared().labels().address().to_owned(),
        };
        Some(HostMetrics::of(
            name,
            found.iter().map(|host| host.shared()),
        ))
    }

    /// The entries that `host` means, in the order of their origins.
    fn known_as(&self, host: &str) -> Vec<Arc<Host>> {
        let inner = &*self.inner;
        if host == OTHER {
            return vec![inner.other.clone()];
        }
        if host.contains("://") {
            let origin = Origin::parse(host).ok();
            let found = origin.and_then(|origin| inner.hosts.get_origin(&origin));
            return found.into_iter().collect();
        }
        let bare = host.strip_suffix('.').unwrap_or(host);
        let bare = bare.trim_start_matches('[').trim_end_matches(']');
        let is_meant = |known: &Origin| known.host_unbracketed().eq_ignore_ascii_case(bare);
        let mut found = inner.hosts.snapshot();
        // Before the sorting: there may be thousands.
        found.retain(|(origin, _)| is_meant(origin));
        in_order(found)
    }

    /// What is counted of each host; the last is `_OTHER`, where anything fell to it.
    pub fn hosts(&self) -> Vec<HostMetrics> {
        let hosts = self.all_hosts();
        let all = hosts.iter().map(|host| host.shared());
        let all = all.map(|host| HostMetrics::of(host.name(), std::iter::once(host)));
        all.filter(|host| host.name != OTHER || host.figures != Figures::default())
            .collect()
    }

    pub(crate) fn secret_keys(&self) -> &Arc<SecretKeys> {
        &self.inner.settings.secret_keys
    }

    /// What keeps the entry of the request's host while it counts. A URL without a usable host
    /// counts for the others.
    pub(crate) fn find(&self, uri: &Uri) -> Handle {
        if let Some(handle) = near::find(self.inner.id, uri) {
            return handle;
        }
        let host = match self.inner.hosts.get(uri) {
            Some(host) => host,
            None => match Origin::of_uri(uri) {
                Ok(origin) => self.admit(&origin),
                Err(_) => self.inner.other.clone(),
            },
        };
        let handle = host.handle();
        near::keep(self.inner.id, uri, &handle);
        handle
    }

    fn admit(&self, origin: &Origin) -> Arc<Host> {
        let inner = &*self.inner;
        if let Some(host) = inner.hosts.get_origin(origin) {
            return host;
        }
        // A place is taken before the entry is made, so that threads which meet here do not pass
        // the bound together.
        let place = |admitted| (admitted < inner.max_hosts).then_some(admitted + 1);
        let order = Ordering::Relaxed;
        if inner.admitted.fetch_update(order, order, place).is_err() {
            // Another thread may have made it since.
            let made = inner.hosts.get_origin(origin);
            return made.unwrap_or_else(|| inner.other.clone());
        }
        let new = Arc::new(Host::new(inner.settings.clone(), Some(origin.clone())));
        let host = inner.hosts.insert_if_absent(origin, new.clone());
        if !Arc::ptr_eq(&host, &new) {
            inner.admitted.fetch_sub(1, order);
        }
        host
    }

    fn all_hosts(&self) -> Vec<Arc<Host>> {
        let mut hosts = in_order(self.inner.hosts.snapshot());
        hosts.push(self.inner.other.clone());
        hosts
    }
}

fn in_order(mut hosts: Vec<(Origin, Arc<Host>)>) -> Vec<Arc<Host>> {
    hosts.sort_by(|(a, _), (b, _)| a.cmp(b));
    hosts.into_iter().map(|(_, host)| host).collect()
}
