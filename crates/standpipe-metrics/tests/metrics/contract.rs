use standpipe_metrics::{AttemptMetricsLayer, MetricsLayer, Registry};
use standpipe_test::{assert_layer_contract, assert_reserves_nothing};

use crate::{URL, origin};

#[tokio::test(start_paused = true)]
async fn both_layers_keep_the_contract_of_a_layer() {
    let registry = Registry::new();
    for on in [true, false] {
        let requests = MetricsLayer::new(registry.clone()).enabled(on);
        assert_layer_contract(requests.clone()).await;
        assert_reserves_nothing(requests).await;
        let attempts = AttemptMetricsLayer::new(registry.clone()).enabled(on);
        assert_layer_contract(attempts.clone()).await;
        assert_reserves_nothing(attempts).await;
    }
    let of_one = AttemptMetricsLayer::for_origin(registry, &origin(URL));
    assert_layer_contract(of_one.clone()).await;
    assert_reserves_nothing(of_one).await;
}
