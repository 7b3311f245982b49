//! A pool looked at and changed while it runs: none of it waits.

use standpipe_circuit_breaker::Handle as CircuitHandle;
use standpipe_core::{Error, Origin};
use standpipe_metrics::{HostMetrics, PoolMetrics};
use standpipe_rate_limit::{ConcurrencyHandle, Handle as LimitHandle};
use standpipe_transport::Transport;
use std::borrow::Borrow;

use super::Pool;
use crate::{HostConfig, PoolConfig, PoolStats};

macro_rules! forward {
    ($($name:ident($($arg:ident: $ty:ty),*) $(-> $given:ty)?;)*) => {$(
        #[doc = concat!("As [`", stringify!($name), "`](crate::Pool::", stringify!($name), ") there.")]
        pub fn $name(&self, $($arg: $ty),*) $(-> $given)? {
            self.get_ref().$name($($arg),*)
        }
    )*};
}

/// What does not wait is that of the [pool itself](Pool::get_ref).
impl Pool {
    forward! {
        config() -> &PoolConfig;
        stats() -> PoolStats;
        metrics() -> PoolMetrics;
        host_metrics(host: &str) -> Option<HostMetrics>;
        circuit_breaker(origin: &Origin) -> Option<CircuitHandle>;
        rate_limiter(origin: &Origin) -> Option<LimitHandle>;
        concurrency_limit(origin: &Origin) -> Option<ConcurrencyHandle>;
        host_configs() -> Vec<(String, HostConfig)>;
        transport() -> Option<&Transport>;
        close_idle();
        close_idle_of(origin: &Origin);
        is_closed() -> bool;
    }

    /// As [`configure_host`](crate::Pool::configure_host) there.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn configure_host(&self, name: &str, config: impl Borrow<HostConfig>) -> Result<(), Error> {
        self.get_ref().configure_host(name, config)
    }
}
