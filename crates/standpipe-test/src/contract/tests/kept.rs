//! Layers that keep the contract, tower's own among them.

use std::time::Duration;

use tower::buffer::BufferLayer;
use tower::layer::util::Identity;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use tower::util::{BoxCloneServiceLayer, MapErrLayer};
use tower_layer::layer_fn;

use crate::contract::{ContractService, LayerContract};
use crate::{assert_layer_contract, assert_reserves_nothing};

#[tokio::test(start_paused = true)]
async fn towers_layers_keep_the_contract() {
    assert_layer_contract(Identity::new()).await;
    assert_layer_contract(TimeoutLayer::new(Duration::from_secs(5))).await;
    assert_layer_contract(LoadShedLayer::new()).await;
    assert_layer_contract(ConcurrencyLimitLayer::new(1)).await;
    let shared = ConcurrencyLimitLayer::new(1);
    assert_layer_contract(BoxCloneServiceLayer::new(shared)).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_may_be_wrapped_where_it_stays_the_source() {
    assert_layer_contract(MapErrLayer::new(|error: standpipe_core::BoxError| {
        standpipe_core::Error::new(standpipe_core::ErrorKind::Other).with_source(error)
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_contract_holds_for_any_request_and_answer() {
    let contract = LayerContract::new(|| "a request", || 7_u8);
    contract
        .check(&TimeoutLayer::new(Duration::from_secs(5)))
        .await;
    contract.check_reserves_nothing(&Identity::new()).await;
}

#[tokio::test(start_paused = true)]
async fn towers_concurrency_limit_reserves_and_its_load_shedding_does_not() {
    assert_reserves_nothing(LoadShedLayer::new()).await;
    let told = super::broken::report(assert_reserves_nothing(ConcurrencyLimitLayer::new(1))).await;
    assert_eq!(
        told,
        "the layer breaks the rule of reserving nothing: \
         a service beside 1 clones that are ready and not called did not end in 60s"
    );
}

#[tokio::test(start_paused = true)]
async fn towers_buffer_dies_of_a_panic() {
    type Inner = ContractService<&'static str, u8>;
    let contract = LayerContract::new(|| "a request", || 7_u8);
    let layer = layer_fn(|inner: Inner| tower_layer::Layer::layer(&BufferLayer::new(4), inner));
    let told = super::broken::report(contract.check(&layer)).await;
    assert!(
        told.starts_with("the layer breaks the rule of panics:"),
        "{told}"
    );
}
