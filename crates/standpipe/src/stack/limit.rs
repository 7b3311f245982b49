use standpipe_core::Body;
use standpipe_rate_limit::{
    ConcurrencyLimit, ConcurrencyLimitLayer, HttpCost, RateLimit, RateLimitConfig,
};
use tower_layer::Layer;

use super::host_layer::{HostContext, HostLayer};
use super::optional::Optional;
use super::parts::HostParts;

/// The place of the rate limit: a limit on the requests under way, and within it one on their pace,
/// of the host's own and as its settings say, or none of either.
///
/// A request pays when it has its permit, so that what waits for one does not go out in a burst.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostLimit;

impl<S> HostLayer<S> for HostLimit {
    type Service = ConcurrencyLimit<Optional<RateLimit<S, HttpCost<Body>>, S>>;

    fn layer_host(&self, host: &mut HostContext<'_>, inner: S) -> Self::Service {
        // Kept where it is off, too: what is under way still counts when it is on again.
        host.parts.concurrency = host.before.and_then(|parts| parts.concurrency.clone());
        let Some(config) = &host.settings.rate_limit else {
            return ConcurrencyLimitLayer::unlimited().layer(Optional::Off(inner));
        };
        let paced = match config.limits_pace() {
            true => paced(host, config, inner),
            false => Optional::Off(inner),
        };
        let limited = concurrency(host, config).layer(paced);
        if let Some(most) = config.max_concurrent {
            let handle = limited.handle();
            // What was set by hand before it was off has ended with that.
            if host.before.is_some_and(HostParts::concurrency_is_off) {
                handle.set_limit(most);
            }
            host.parts.concurrency = Some(handle);
            host.parts.limits_concurrency = true;
        }
        limited
    }
}

fn paced<S>(
    host: &mut HostContext<'_>,
    config: &RateLimitConfig,
    inner: S,
) -> Optional<RateLimit<S, HttpCost<Body>>, S> {
    let builder = checked(config.builder()).closing(host.closing.clone());
    let mut builder = host.hooks.watch_limit(builder, host.origin, host.recorder);
    if let Some(kept) = host.before.and_then(|parts| parts.limit.as_ref()) {
        builder = builder.keep(kept);
    }
    let cost = host.hooks.cost_of(host.origin);
    let limit = builder.build().cost(cost).layer(inner);
    host.parts.limit = Some(limit.handle());
    Optional::On(limit, host.origin.clone())
}

fn concurrency(host: &HostContext<'_>, config: &RateLimitConfig) -> ConcurrencyLimitLayer {
    let Some(fresh) = checked(config.concurrency_layer()) else {
        return ConcurrencyLimitLayer::unlimited();
    };
    let before = host.before.and_then(|parts| parts.concurrency.as_ref());
    let fresh = fresh.closing(host.closing.clone());
    match before {
        Some(before) => fresh.keep(before),
        None => fresh,
    }
}

fn checked<T>(made: Result<T, standpipe_core::Error>) -> T {
    match made {
        Ok(made) => made,
        Err(error) => unreachable!("checked when the settings were: {error}"),
    }
}
