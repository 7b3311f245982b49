use std::num::NonZeroUsize;

use standpipe_rate_limit::{ConcurrencyLimitLayer, RateLimitLayer};
use standpipe_test::{assert_layer_contract, assert_reserves_nothing};

use crate::{ms, ten_a_second};

/// It has no burst, so all calls but the first wait.
#[tokio::test(start_paused = true)]
async fn the_rate_limit_keeps_the_contract_of_a_layer() {
    let layer = RateLimitLayer::new(ten_a_second(1));
    assert_layer_contract(layer.clone()).await;
    assert_reserves_nothing(layer).await;
    let deaf = RateLimitLayer::builder()
        .requests(ten_a_second(1))
        .no_server_word()
        .build();
    assert_layer_contract(deaf).await;
}

#[tokio::test(start_paused = true)]
async fn the_concurrency_limit_keeps_the_contract_of_a_layer() {
    let one = ConcurrencyLimitLayer::new(NonZeroUsize::MIN);
    assert_layer_contract(one.clone()).await;
    assert_reserves_nothing(one.clone()).await;
    assert_layer_contract(one.max_wait(ms(10))).await;
}
