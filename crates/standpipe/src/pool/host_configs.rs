use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use standpipe_core::{Error, Origin};
use standpipe_retry::RetryPolicy;

use crate::builder::host_table;
use crate::config::HostPattern;
use crate::stack::HostSettings;
use crate::{HostConfig, PoolConfig};

/// The settings of hosts, to be looked at and changed while the pool runs.
#[derive(Debug)]
pub(crate) struct HostConfigs {
    retry: RetryPolicy,
    settings: Arc<HostSettings>,
}

impl HostConfigs {
    #[cfg(test)]
    pub(crate) fn settings(&self) -> Arc<HostSettings> {
        Arc::clone(&self.settings)
    }

    pub(crate) fn new(retry: RetryPolicy, settings: Arc<HostSettings>) -> Self {
        Self { retry, settings }
    }

    /// Ends the waits of all hosts' limits and retries, for good; says how many they were.
    pub(super) fn close(&self) -> usize {
        self.settings.closing.close()
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.settings.closing.is_closed()
    }

    /// The total of the host of `uri`, and the silence that its own settings allow a body.
    pub(super) fn times_of(
        &self,
        config: &PoolConfig,
        uri: &Uri,
    ) -> (Option<Duration>, Option<Duration>) {
        if self.settings.has_totals()
            && let Ok(origin) = Origin::of_uri(uri)
        {
            let table = self.settings.table();
            let host = table.of(&origin);
            return (host.request_timeout, host.body_idle_timeout);
        }
        (config.request_timeout, None)
    }

    pub(super) fn given(&self) -> Vec<(String, HostConfig)> {
        self.settings.table().given()
    }

    /// Sets what holds for `name`; says which origins that is for.
    pub(super) fn set(
        &self,
        config: &PoolConfig,
        name: &str,
        own: &HostConfig,
    ) -> Result<impl Fn(&Origin) -> bool + use<>, Error> {
        let pattern = HostPattern::parse(name)?;
        // Where another thread has set something meanwhile, its table is the one to add to.
        loop {
            let seen = self.settings.table();
            let mut given = seen.given();
            given.push((name.to_owned(), own.clone()));
            let table = host_table(config, &self.retry, given)?;
            if self.settings.replace_table(&seen, table) {
                return Ok(move |origin: &Origin| pattern.matches(origin));
            }
        }
    }
}
