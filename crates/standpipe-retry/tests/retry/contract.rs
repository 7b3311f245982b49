use standpipe_retry::{Peek, RetryLayer, RetryPolicy};
use standpipe_test::{assert_layer_contract, assert_reserves_nothing};

use crate::plain;

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract_of_a_layer() {
    for policy in [plain(), RetryPolicy::none()] {
        assert_layer_contract(RetryLayer::new(policy.clone())).await;
        assert_reserves_nothing(RetryLayer::new(policy)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract_where_it_looks_into_answers_and_has_hooks() {
    let layer = RetryLayer::new(plain())
        .on_retry(|_| ())
        .before_attempt(|_, _| Ok(()))
        .peek(Peek::default());
    assert_layer_contract(layer.clone()).await;
    assert_reserves_nothing(layer).await;
}
