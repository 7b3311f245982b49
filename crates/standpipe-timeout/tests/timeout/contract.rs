use standpipe_test::{assert_layer_contract, assert_reserves_nothing};
use standpipe_timeout::TimeoutLayer;

use crate::{HOUR, secs};

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract_of_a_layer_whatever_it_bounds() {
    for layer in [
        TimeoutLayer::total(HOUR),
        TimeoutLayer::total(None),
        TimeoutLayer::attempt(HOUR),
        TimeoutLayer::attempt(HOUR).including_body(),
        TimeoutLayer::attempt(HOUR).handed_down(),
        TimeoutLayer::total(HOUR).handed_down_to_head(),
        TimeoutLayer::body_idle(secs(1)),
    ] {
        assert_layer_contract(layer).await;
        assert_reserves_nothing(layer).await;
    }
}
