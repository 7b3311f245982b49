use http::Request;
use standpipe_core::{ErrorKind, Phase};
use standpipe_rate_limit::{Quota, RateLimitLayer, Settle};
use tower::{Layer, Service};

use crate::{Empty, Record, answering, error, ms, n, ready, request, ten_a_second};

fn costing(cost: u32) -> Request<Empty> {
    let mut request = request();
    request.extensions_mut().insert(cost);
    request
}

fn cost(request: &Request<Empty>) -> u32 {
    request.extensions().get().copied().unwrap_or(0)
}

/// RL-02 RL-11
#[tokio::test(start_paused = true)]
async fn a_cost_of_nothing_or_over_the_burst_is_refused_for_good() {
    let record = Record::new();
    let layer = RateLimitLayer::builder()
        .cost(ten_a_second(9), cost)
        .build();
    let mut service = layer.layer(record.service());
    for wrong in [0, 10, u32::MAX] {
        let refused = error(ready(&mut service).call(costing(wrong)).await);
        assert_eq!(refused.kind(), ErrorKind::InvalidRequest, "{wrong}");
        assert_eq!(refused.phase(), Some(Phase::Check));
        assert_eq!(refused.retry_after(), None, "no wait would help");
    }
    assert_eq!(service.handle().stats().available, [9]);
    ready(&mut service).call(costing(9)).await.unwrap();
}

/// RL-02: the second quota's burst counts as the first's does.
#[tokio::test(start_paused = true)]
async fn the_burst_of_each_quota_is_a_limit_to_the_cost() {
    let record = Record::new();
    let layer = RateLimitLayer::builder()
        .requests(ten_a_second(9))
        .cost(ten_a_second(5), cost)
        .build();
    let mut service = layer.layer(record.service());
    let refused = error(ready(&mut service).call(costing(6)).await);
    assert_eq!(refused.kind(), ErrorKind::InvalidRequest);
    assert_eq!(service.handle().stats().available, [9, 5]);
}

#[tokio::test(start_paused = true)]
async fn tokens_per_minute_hold_once_the_actual_cost_is_settled() {
    let record = Record::new();
    let minute = Quota::per_minute(n(600));
    let layer = RateLimitLayer::builder()
        .requests(Quota::per_minute(n(60)))
        .cost(minute, cost)
        .build();
    let mut service = layer.layer(record.service());
    // An estimate of 100, and 620 in the end: a debt of 20 tokens, two seconds' worth.
    let response = ready(&mut service).call(costing(100)).await.unwrap();
    let settle: &Settle = response.extensions().get().unwrap();
    assert_eq!(settle.charged(), 100);
    settle.settle(400);
    settle.clone().settle(620);
    settle.settle(620);
    assert_eq!(settle.charged(), 620);
    assert_eq!(service.handle().stats().available, [59, 0]);
    let response = ready(&mut service).call(costing(10)).await.unwrap();
    assert_eq!(record.at(), [0, 3_000].map(ms));
    // Nothing of it was used.
    response.extensions().get::<Settle>().unwrap().settle(0);
    assert_eq!(service.handle().stats().available, [59, 10]);
}

#[tokio::test(start_paused = true)]
async fn the_actual_cost_can_be_read_from_the_headers() {
    let layer = RateLimitLayer::builder()
        .cost(ten_a_second(10), cost)
        .settle(|headers| headers.get("x-tokens")?.to_str().ok()?.parse().ok())
        .build();
    let mut service = layer.layer(answering(200, &[("x-tokens", "7")]));
    ready(&mut service).call(costing(2)).await.unwrap();
    assert_eq!(service.handle().stats().available, [3]);
}

#[tokio::test(start_paused = true)]
async fn without_a_quota_of_cost_the_response_carries_nothing() {
    let mut service = RateLimitLayer::new(ten_a_second(1)).layer(Record::new().service());
    let response = ready(&mut service).call(request()).await.unwrap();
    assert!(response.extensions().is_empty());
}
