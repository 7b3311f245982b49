//! What users hang into the layers, and how the layers' hooks reach the metrics.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request};
use standpipe_circuit_breaker::{Handle, Transition};
use standpipe_core::{Body, BoxError, Origin};
use standpipe_metrics::HostRecorder;
use standpipe_rate_limit::{HttpCost, RateLimitBuilder, Store};
use standpipe_retry::{GiveUpEvent, Peek, Peeked, RetryEvent, RetryLayer, Verdict};

use crate::providers;

type OnRetry = dyn Fn(&RetryEvent<'_>) + Send + Sync;
type OnGiveUp = dyn Fn(&GiveUpEvent<'_>) + Send + Sync;
type Classify = dyn Fn(&Peeked<'_>) -> Verdict + Send + Sync;
type BeforeAttempt = dyn Fn(&mut Parts, u32) -> Result<(), BoxError> + Send + Sync;
pub(super) type MakeKey = dyn Fn() -> HeaderValue + Send + Sync;
type OnTransition = dyn Fn(&Origin, &Transition) + Send + Sync;
type OnRateLimit = dyn Fn(&Origin, &RateLimitEvent) + Send + Sync;
type CostOf = dyn Fn(&Origin, &Request<Body>) -> u32 + Send + Sync;
type ActualCost = dyn Fn(&Origin, &HeaderMap) -> Option<u32> + Send + Sync;
type StoreFor = dyn Fn(&Origin) -> Arc<dyn Store> + Send + Sync;

/// What a rate limit does to requests; see
/// [`PoolBuilder::on_rate_limit`](crate::PoolBuilder::on_rate_limit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateLimitEvent {
    /// A request has to wait for so long, as far as is known now.
    Waits(Duration),
    /// A request was refused; it would have had to wait for so long, where that is known.
    Rejected(Option<Duration>),
    /// No request goes out for so long: the server has said so, or a
    /// [`Handle`](standpipe_rate_limit::Handle) has.
    Paused(Duration),
}

#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) on_retry: Option<Arc<OnRetry>>,
    pub(crate) on_give_up: Option<Arc<OnGiveUp>>,
    pub(crate) classify: Option<Arc<Classify>>,
    /// Whether what is known of APIs' errors is asked too.
    pub(crate) provider_errors: bool,
    pub(crate) before_attempt: Option<Arc<BeforeAttempt>>,
    pub(crate) idempotency_key: Option<Arc<MakeKey>>,
    pub(crate) on_circuit_transition: Option<Arc<OnTransition>>,
    pub(crate) on_rate_limit: Option<Arc<OnRateLimit>>,
    pub(crate) cost_of: Option<Arc<CostOf>>,
    pub(crate) actual_cost: Option<Arc<ActualCost>>,
    pub(crate) store_for: Option<Arc<StoreFor>>,
}

impl Hooks {
    /// Hangs these into the retry of a host, behind what counts for it. Where there is nothing to
    /// hang in, the layer has no hook.
    pub(super) fn watch_retry<C>(
        &self,
        mut layer: RetryLayer<C>,
        recorder: Option<&HostRecorder>,
    ) -> RetryLayer<C> {
        if self.on_retry.is_some() || recorder.is_some() {
            let (recorder, hook) = (recorder.cloned(), self.on_retry.clone());
            layer = layer.on_retry(move |retry| {
                if let Some(recorder) = &recorder {
                    recorder.retried(retry.attempts(), retry.delay());
                    tell_budget(recorder, retry.budget());
                }
                if let Some(hook) = &hook {
                    hook(retry);
                }
            });
        }
        if self.on_give_up.is_some() || recorder.is_some() {
            let (recorder, hook) = (recorder.cloned(), self.on_give_up.clone());
            layer = layer.on_give_up(move |given_up| {
                if let Some(recorder) = &recorder {
                    recorder.retry_given_up(given_up.reason().as_str());
                    tell_budget(recorder, given_up.budget());
                }
                if let Some(hook) = &hook {
                    hook(given_up);
                }
            });
        }
        if let Some(hook) = self.before_attempt.clone() {
            layer = layer.before_attempt(move |head, number| hook(head, number));
        }
        layer
    }

    /// What looks into the answers that would be tried again.
    pub(super) fn peek(&self) -> Peek {
        match (self.classify.clone(), self.provider_errors) {
            (None, false) => Peek::default(),
            (None, true) => Peek::new(providers::classify),
            (Some(own), false) => Peek::new(move |answer| own(answer)),
            (Some(own), true) => Peek::new(move |answer| match own(answer) {
                Verdict::Final => Verdict::Final,
                Verdict::Retry => providers::classify(answer),
            }),
        }
    }

    /// The same for the circuit of a host.
    pub(super) fn watch_circuit(&self, circuit: &Handle, origin: &Origin) {
        if let Some(hook) = self.on_circuit_transition.clone() {
            let origin = origin.clone();
            circuit.on_transition(move |change| hook(&origin, change));
        }
    }

    /// The same for the rate limit of a host, with where its quotas are kept and what its answers
    /// say they cost.
    pub(super) fn watch_limit(
        &self,
        mut limit: RateLimitBuilder,
        origin: &Origin,
        recorder: Option<&HostRecorder>,
    ) -> RateLimitBuilder {
        if let Some(store_for) = &self.store_for {
            limit = limit.store(store_for(origin));
        }
        if let Some(actual) = self.actual_cost.clone() {
            let origin = origin.clone();
            limit = limit.settle(move |headers| actual(&origin, headers));
        }
        if self.on_rate_limit.is_none() && recorder.is_none() {
            return limit;
        }
        let tell = Arc::new(LimitTeller {
            origin: origin.clone(),
            recorder: recorder.cloned(),
            hook: self.on_rate_limit.clone(),
        });
        let (waits, rejects) = (Arc::clone(&tell), Arc::clone(&tell));
        limit
            .on_wait(move |wait| waits.tell(RateLimitEvent::Waits(wait)))
            .on_reject(move |wait| rejects.tell(RateLimitEvent::Rejected(wait)))
            .on_pause(move |pause| tell.tell(RateLimitEvent::Paused(pause)))
    }

    /// What requests to a host cost.
    pub(super) fn cost_of(&self, origin: &Origin) -> HttpCost<Body> {
        match self.cost_of.clone() {
            Some(cost_of) => {
                let origin = origin.clone();
                HttpCost::or(move |request| cost_of(&origin, request))
            }
            None => HttpCost::new(),
        }
    }
}

/// Who is told of a host's rate limit.
struct LimitTeller {
    origin: Origin,
    recorder: Option<HostRecorder>,
    hook: Option<Arc<OnRateLimit>>,
}

impl LimitTeller {
    fn tell(&self, event: RateLimitEvent) {
        if let Some(recorder) = &self.recorder {
            match event {
                RateLimitEvent::Waits(wait) => recorder.limiter_waited(wait),
                RateLimitEvent::Rejected(_) => recorder.limiter_rejected(),
                RateLimitEvent::Paused(pause) => recorder.limiter_paused(pause),
            }
        }
        if let Some(hook) = &self.hook {
            hook(&self.origin, &event);
        }
    }
}

fn tell_budget(recorder: &HostRecorder, budget: Option<u64>) {
    if let Some(retries) = budget {
        recorder.retry_budget(retries as f64);
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("on_retry", &self.on_retry.is_some())
            .field("on_give_up", &self.on_give_up.is_some())
            .field("classify", &self.classify.is_some())
            .field("provider_errors", &self.provider_errors)
            .field("before_attempt", &self.before_attempt.is_some())
            .field("idempotency_key", &self.idempotency_key.is_some())
            .field(
                "on_circuit_transition",
                &self.on_circuit_transition.is_some(),
            )
            .field("on_rate_limit", &self.on_rate_limit.is_some())
            .field("cost_of", &self.cost_of.is_some())
            .field("actual_cost", &self.actual_cost.is_some())
            .field("store_for", &self.store_for.is_some())
            .finish()
    }
}
