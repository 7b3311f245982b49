use standpipe_circuit_breaker::{CircuitBreakerConfig, CircuitBreakerLayer};
use standpipe_test::{assert_layer_contract, assert_reserves_nothing};

/// One failure leaves it closed, two in a row do not.
fn layer() -> CircuitBreakerLayer {
    CircuitBreakerLayer::new(CircuitBreakerConfig::new().threshold(2)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract_of_a_layer() {
    assert_layer_contract(layer()).await;
    assert_reserves_nothing(layer()).await;
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract_where_it_judges_at_the_bodys_end() {
    assert_layer_contract(layer().at_body_end()).await;
    assert_reserves_nothing(layer().at_body_end()).await;
}
