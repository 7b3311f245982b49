//! The rules of tower's `Service`, for the layers that a pool alone puts together: the totals of its
//! hosts, the timeout of an attempt, what may be off, and services from outside. They are made by no
//! layer of their own, so the stack that holds them stands over the contract's service.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use http::{Request, Response};
use standpipe::{
    Body, CircuitBreakerConfig, HostConfig, Optional, Origin, Pool, PoolBuilder, Quota,
    RateLimitConfig,
};
use standpipe_test::contract::ContractService;
use standpipe_test::{assert_layer_contract, assert_reserves_nothing};
use tower::layer::layer_fn;
use tower_layer::Identity;

type Inner = ContractService<Request<Body>, Response<Body>>;

const MINUTE: Duration = Duration::from_secs(60);

/// All that is optional is off.
fn bare() -> PoolBuilder {
    Pool::builder()
        .without_retry()
        .without_circuit_breaker()
        .without_metrics()
        .attempt_timeout(None)
        .request_timeout(None)
        .max_redirects(None)
        .decompress(false)
}

/// All that is optional is on, with one request at once.
fn full() -> PoolBuilder {
    let limit = RateLimitConfig {
        max_concurrent: NonZeroUsize::new(1),
        ..Quota::per_second(NonZeroU32::new(1000).unwrap()).into()
    };
    Pool::builder()
        .circuit_breaker(CircuitBreakerConfig::default())
        .rate_limit(limit)
        .attempt_timeout(Some(MINUTE / 4))
        .request_timeout(Some(MINUTE))
}

/// The host of the contract's requests has a total of its own.
fn with_a_total() -> PoolBuilder {
    let host = HostConfig::new().request_timeout(MINUTE / 2);
    full().host("contract.test", host)
}

/// The typed stack, and the pool that boxes it.
#[tokio::test(start_paused = true)]
async fn the_stack_keeps_the_contract_of_a_layer() {
    for builder in [Pool::builder, bare, full, with_a_total] {
        let stack = layer_fn(|inner| builder().transport(inner).build_service().unwrap());
        assert_layer_contract(stack).await;
        assert_reserves_nothing(stack).await;
        let pool = layer_fn(|inner| builder().transport(inner).build().unwrap());
        assert_layer_contract(pool).await;
        assert_reserves_nothing(pool).await;
    }
}

/// With a layer from outside in each of its places.
#[tokio::test(start_paused = true)]
async fn the_stack_keeps_the_contract_of_a_layer_with_others_in_its_places() {
    let stack = layer_fn(|inner| {
        full()
            .layer(Identity::new())
            .host_layer(Identity::new())
            .retry(Identity::new())
            .circuit_breaker_layer(Identity::new())
            .rate_limit_layer(Identity::new())
            .attempt_layer(Identity::new())
            .transport(inner)
            .build_service()
            .unwrap()
    });
    assert_layer_contract(stack).await;
    assert_reserves_nothing(stack).await;
}

#[tokio::test(start_paused = true)]
async fn what_may_be_off_keeps_the_contract_of_a_layer_on_and_off() {
    let origin = Origin::parse("http://contract.test/").unwrap();
    let on = layer_fn(|inner: Inner| Optional::<_, Inner>::On(inner, origin.clone()));
    assert_layer_contract(&on).await;
    assert_reserves_nothing(&on).await;
    let off = layer_fn(|inner: Inner| Optional::<Inner, _>::Off(inner));
    assert_layer_contract(&off).await;
    assert_reserves_nothing(&off).await;
}
