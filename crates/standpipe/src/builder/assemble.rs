use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use standpipe_circuit_breaker::CircuitBreakerConfig;
use standpipe_core::{Body, BoxError, Error};
use standpipe_metrics::{BreakerState, MetricsLayer, Registry};
use standpipe_retry::{ExponentialBackoff, Jitter, RetryPolicy};
use standpipe_router::{HostRouter, HostRouterBuilder};
use standpipe_timeout::{RequestTimeout, TimeoutLayer};
use tower_layer::Layer;
use tower_service::Service;

use super::PoolBuilder;
use super::recorder::SharedRecorder;
use crate::config::HostPattern;
use crate::pool::{self, Pool};
use crate::stack::{
    Bottom, ConnectionEvents, Core, Hooks, HostSettings, HostTable, HostTotals, IdempotencyKeys,
    IntoBottom, Known, MakeHostStack, NewHostStack, PerHost, StackBody,
};
use crate::{HostConfig, PoolConfig};

impl<O, H, T> PoolBuilder<O, H, T>
where
    T: IntoBottom,
    H: NewHostStack<<T::Bottom as Bottom>::Service>,
{
    /// Builds the pool. It opens no connection and needs no runtime; TLS roots are loaded at the
    /// first https dial.
    ///
    /// # Errors
    ///
    /// [`Config`](standpipe_core::ErrorKind::Config), naming the field, its value and what is
    /// allowed.
    pub fn build<R>(self) -> Result<Pool, Error>
    where
        Core<H, T::Bottom>: Service<Request<Body>>,
        O: Layer<Core<H, T::Bottom>>,
        O::Service: Service<Request<Body>, Response = Response<R>> + Clone + Send + Sync + 'static,
        <O::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <O::Service as Service<Request<Body>>>::Future: Send,
        R: StackBody,
    {
        let (stack, parts) = self.assemble()?;
        Ok(Pool::of(stack, parts))
    }

    /// The typed stack without a box, for those who go on building in tower.
    ///
    /// # Errors
    ///
    /// As [`build`](PoolBuilder::build).
    pub fn build_service(self) -> Result<O::Service, Error>
    where
        O: Layer<Core<H, T::Bottom>>,
    {
        Ok(self.assemble()?.0)
    }

    fn assemble(self) -> Result<(O::Service, pool::Parts), Error>
    where
        O: Layer<Core<H, T::Bottom>>,
    {
        let config = self.settings.config;
        config.check()?;
        // With that feature the `metrics` crate is told, unless another recorder is.
        let recorded = self.settings.recorder.is_some() || cfg!(feature = "metrics");
        let registry = registry(&config, self.settings.recorder);
        let retry = self.settings.retry.unwrap_or_else(|| retry_policy(&config));
        let table = host_table(&config, &retry, self.settings.hosts)?;
        let events = config
            .metrics
            .then(|| ConnectionEvents::new(registry.clone(), recorded));
        let bottom = self.bottom.into_bottom(&config, events)?;
        let transport = bottom.transport().cloned();
        let hooks = Hooks {
            provider_errors: config.provider_errors,
            ..self.settings.hooks
        };
        let make_key = hooks.idempotency_key.clone();
        let settings = Arc::new(HostSettings::new(table, hooks, registry.clone(), &config));
        let handed_down = T::Bottom::HOLDS_TO_DEADLINES && self.host_stack.holds_to_deadlines();
        let make = MakeHostStack::new(self.host_stack, bottom, Arc::clone(&settings));
        let hosts = router(&config, &registry).build_with(make.clone());

        // Where all that waits below for the head holds to the deadline, one timer is enough for it.
        let total = TimeoutLayer::new(total(&config));
        let total = match handed_down {
            true => total.handed_down_to_head(),
            false => total,
        };
        let hop = hosts.clone();
        #[cfg(feature = "cookies")]
        let hop = match self.settings.cookies {
            Some(jar) => crate::CookieLayer::new(jar),
            None => crate::CookieLayer::off(),
        }
        .layer(hop);
        let redirected = config.redirect_layer()?.layer(hop);
        let keyed = IdempotencyKeys::new(redirected, make_key);
        let timed = HostTotals::new(total.layer(keyed), Arc::clone(&settings));
        let metrics = MetricsLayer::new(registry.clone()).enabled(config.metrics);
        let stack = self.outer.layer(metrics.layer(timed));
        let parts = pool::Parts {
            hosts: Arc::new(Known { hosts, make }),
            transport,
            registry,
            config,
            own: pool::HostConfigs::new(retry, settings),
        };
        Ok((stack, parts))
    }
}

/// As [`PoolBuilder::build`].
impl<O, H, T, R> TryFrom<PoolBuilder<O, H, T>> for Pool
where
    T: IntoBottom,
    H: NewHostStack<<T::Bottom as Bottom>::Service>,
    Core<H, T::Bottom>: Service<Request<Body>>,
    O: Layer<Core<H, T::Bottom>>,
    O::Service: Service<Request<Body>, Response = Response<R>> + Clone + Send + Sync + 'static,
    <O::Service as Service<Request<Body>>>::Error: Into<BoxError>,
    <O::Service as Service<Request<Body>>>::Future: Send,
    R: StackBody,
{
    type Error = Error;

    fn try_from(builder: PoolBuilder<O, H, T>) -> Result<Self, Error> {
        builder.build()
    }
}

fn router(config: &PoolConfig, registry: &Registry) -> HostRouterBuilder {
    let router = HostRouter::builder().max_hosts(config.max_hosts);
    let router = match config.metrics {
        true => {
            let registry = registry.clone();
            // Its circuit went with it.
            router.on_evict(move |origin, _| {
                registry.host(origin).breaker_replaced(BreakerState::Closed);
            })
        }
        false => router,
    };
    match config.host_idle_timeout {
        Some(timeout) => router.idle_timeout(timeout),
        None => router.no_idle_timeout(),
    }
}

fn total(config: &PoolConfig) -> RequestTimeout {
    match config.request_timeout {
        Some(timeout) => RequestTimeout::total(timeout),
        None => RequestTimeout::none(),
    }
}

fn registry(config: &PoolConfig, recorder: Option<SharedRecorder>) -> Registry {
    let builder = Registry::builder().max_hosts(config.max_hosts_in_metrics);
    let builder = match recorder {
        Some(recorder) => builder.recorder(recorder),
        #[cfg(feature = "metrics")]
        None if config.metrics => builder.recorder(standpipe_metrics::MetricsFacade::new()),
        None => builder,
    };
    builder.build()
}

fn retry_policy(config: &PoolConfig) -> RetryPolicy {
    let backoff = ExponentialBackoff::new(config.initial_retry_delay)
        .multiplier(config.retry_multiplier)
        .max(config.max_retry_delay)
        .jitter(Jitter::Proportional(config.retry_jitter));
    RetryPolicy::new()
        .max_retries(config.max_retries)
        .backoff(backoff)
        .statuses(config.retry_statuses.iter().copied())
        .max_retry_after(config.max_retry_after)
        .budget(config.retry_budget)
        .replay_cap(config.replay_cap)
}

/// What holds for hosts without settings of their own, and for those that have some.
pub(crate) fn host_table(
    config: &PoolConfig,
    retry: &RetryPolicy,
    hosts: Vec<(String, HostConfig)>,
) -> Result<HostTable, Error> {
    let base = config.headers()?;
    let others = PerHost {
        headers: (!base.is_empty()).then(|| Arc::new(base.clone())),
        request_timeout: config.request_timeout,
        body_idle_timeout: None,
        attempt_timeout: config.attempt_timeout,
        max_connections: None,
        retry: retry.clone(),
        circuit_breaker: outlasting(
            config.circuit_breaker.clone(),
            config.request_timeout,
            config.attempt_timeout,
        ),
        rate_limit: config.rate_limit.clone(),
    };
    let mut table = HostTable::new(others);
    for (name, host) in hosts {
        // The name first: the other refusals repeat it.
        let pattern = HostPattern::parse(&name)?;
        let settings = of_host(config, table.others(), &name, &host)?;
        table.set(pattern, settings, (name, host));
    }
    Ok(table)
}

fn of_host(
    config: &PoolConfig,
    others: &PerHost,
    name: &str,
    host: &HostConfig,
) -> Result<PerHost, Error> {
    host.check(name)?;
    let headers = host.headers(name, &config.headers()?)?;
    let attempt_timeout = host.attempt_timeout.or(config.attempt_timeout);
    let request_timeout = host.request_timeout.or(config.request_timeout);
    let circuit_breaker = host
        .circuit_breaker
        .clone()
        .or(config.circuit_breaker.clone());
    Ok(PerHost {
        headers: (!headers.is_empty()).then(|| Arc::new(headers)),
        request_timeout,
        body_idle_timeout: host.body_idle_timeout,
        attempt_timeout,
        max_connections: host.max_connections.and_then(NonZeroUsize::new),
        retry: host.retry.clone().unwrap_or_else(|| others.retry.clone()),
        circuit_breaker: outlasting(circuit_breaker, request_timeout, attempt_timeout),
        rate_limit: host.rate_limit.clone().or(config.rate_limit.clone()),
    })
}

/// The same where no probe loses its place while it may still be answered.
fn outlasting(
    breaker: Option<CircuitBreakerConfig>,
    request_timeout: Option<Duration>,
    attempt_timeout: Option<Duration>,
) -> Option<CircuitBreakerConfig> {
    const MARGIN: Duration = Duration::from_secs(1);
    let breaker = breaker?;
    let longest = [attempt_timeout, request_timeout];
    let Some(longest) = longest.into_iter().flatten().min() else {
        return Some(breaker);
    };
    let least = longest.saturating_add(MARGIN);
    let timeout = breaker.probe_timeout.max(least);
    Some(breaker.probe_timeout(timeout))
}
