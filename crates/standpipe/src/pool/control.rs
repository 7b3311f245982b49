//! A pool looked at and changed while it runs: none of it waits.

use std::borrow::Borrow;
use std::time::Duration;

use http::Uri;
use standpipe_circuit_breaker::Handle;
use standpipe_core::{Error, Origin};
use standpipe_metrics::{HostMetrics, PoolMetrics};
use standpipe_rate_limit::{ConcurrencyHandle, Handle as LimitHandle};
use standpipe_transport::Transport;

use super::{Pool, PoolStats, metrics};
use crate::{HostConfig, PoolConfig};

impl Pool {
    /// The settings in force. A policy given to [`retry_policy`](crate::PoolBuilder::retry_policy)
    /// goes before those of the retries here.
    pub fn config(&self) -> &PoolConfig {
        &self.inner.parts.config
    }

    /// What the pool holds at this moment: its connections, and the state of its circuits.
    pub fn stats(&self) -> PoolStats {
        let parts = &self.inner.parts;
        let transport = parts.transport.as_ref().map(Transport::stats);
        PoolStats::of(transport.unwrap_or_default(), parts.hosts.all())
    }

    /// What the pool has done so far, over all hosts. Where [metrics are
    /// off](PoolConfig::metrics), connections alone are counted.
    pub fn metrics(&self) -> PoolMetrics {
        let parts = &self.inner.parts;
        metrics::of_pool(&parts.registry, parts.transport.as_ref())
    }

    /// The same of one host: `"api.example.com"` for all its schemes and ports together, a URL for
    /// one origin, `"_OTHER"` for the hosts beyond
    /// [`max_hosts_in_metrics`](PoolConfig::max_hosts_in_metrics). None where nothing is known of
    /// it.
    pub fn host_metrics(&self, host: &str) -> Option<HostMetrics> {
        let parts = &self.inner.parts;
        metrics::of_host(&parts.registry, parts.transport.as_ref(), host)
    }

    /// The circuit of `origin`, to look at, to wait for and to change by hand. None before the
    /// first request to the origin, where it has no breaker, and once the origin was not used for
    /// [`host_idle_timeout`](PoolConfig::host_idle_timeout): then its next request begins with a
    /// new circuit.
    pub fn circuit_breaker(&self, origin: &Origin) -> Option<Handle> {
        let host = self.inner.parts.hosts.parts(origin)?;
        host.circuit.as_ref().map(|circuit| circuit.handle.clone())
    }

    /// The rate limiter of `origin`, to look at, to pause and to give another quota. None where it has
    /// none, and when [`circuit_breaker`](Self::circuit_breaker) would be.
    pub fn rate_limiter(&self, origin: &Origin) -> Option<LimitHandle> {
        let host = self.inner.parts.hosts.parts(origin)?;
        host.limit.clone()
    }

    /// The limit of `origin` on requests under way, to look at and to change by hand. None where it
    /// has none, and when [`circuit_breaker`](Self::circuit_breaker) would be.
    pub fn concurrency_limit(&self, origin: &Origin) -> Option<ConcurrencyHandle> {
        let host = self.inner.parts.hosts.parts(origin)?;
        host.concurrency().cloned()
    }

    /// Sets what holds for a host from its next request on, in place of what held for the same
    /// `name`; names are those of [`PoolBuilder::host`](crate::PoolBuilder::host).
    ///
    /// Requests under way end as they began. A host that has requests already keeps its circuit
    /// breaker, its rate limit and its budget of retries as far as their settings stay the same; a
    /// rate limit with other quotas goes on with what was taken from it. What was set by hand since,
    /// such as a quota by its handle, stays until the same setting changes here.
    ///
    /// # Errors
    ///
    /// [`Config`](standpipe_core::ErrorKind::Config), naming the field, its value and what is
    /// allowed; nothing has changed then.
    pub fn configure_host(&self, name: &str, config: impl Borrow<HostConfig>) -> Result<(), Error> {
        let parts = &self.inner.parts;
        let is_meant = parts.own.set(&parts.config, name, config.borrow())?;
        parts.hosts.rebuild(&is_meant);
        Ok(())
    }

    /// What was set for single hosts, as it was given.
    pub fn host_configs(&self) -> Vec<(String, HostConfig)> {
        self.inner.parts.own.given()
    }

    /// How long a request to `uri` may take, and a response body be silent, as its host's settings say.
    pub(crate) fn times_of(&self, uri: &Uri) -> (Option<Duration>, Option<Duration>) {
        let parts = &self.inner.parts;
        parts.own.times_of(&parts.config, uri)
    }

    /// The transport at the bottom of the stack: to change limits, evict connections, or look up a
    /// name anew. A request that is sent by it passes none of the layers. None where the pool was
    /// built over another service.
    pub fn transport(&self) -> Option<&Transport> {
        self.inner.parts.transport.as_ref()
    }

    /// Closes all idle connections.
    pub fn close_idle(&self) {
        if let Some(transport) = self.transport() {
            transport.close_idle();
        }
    }

    /// Closes the idle connections to `origin`.
    pub fn close_idle_of(&self, origin: &Origin) {
        if let Some(transport) = self.transport() {
            transport.close_idle_of(origin);
        }
    }
}
