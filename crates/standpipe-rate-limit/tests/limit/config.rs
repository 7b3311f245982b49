//! A limiter made of plain data.

use std::num::NonZeroUsize;
use std::time::Duration;

use standpipe_core::ErrorKind;
use standpipe_rate_limit::{HttpCost, Quota, RateLimitConfig, RequestCost, ServerWord};
use tokio::sync::Semaphore;
use tower::{Layer, Service};

use crate::{Empty, Record, answering, error, ms, n, ready, request, ten_a_second};

#[tokio::test(start_paused = true)]
async fn a_layer_is_as_its_config_says() {
    let record = Record::new();
    let config = RateLimitConfig {
        max_wait: Some(ms(250)),
        max_waiting: Some(1),
        ..RateLimitConfig::from(ten_a_second(1))
    };
    let mut service = config.layer().unwrap().layer(record.service());
    let (first, second) = (
        ready(&mut service).call(request()),
        ready(&mut service).call(request()),
    );
    let full = error(ready(&mut service).call(request()).await);
    assert!(
        full.to_string().contains("1 requests wait already"),
        "{full}"
    );
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(record.at(), [0, 100].map(ms));

    let per_second = RateLimitConfig::per_second(n(3));
    assert_eq!(per_second, Quota::per_second(n(3)).into());
    let per_minute = RateLimitConfig::per_minute(n(3));
    assert_eq!(per_minute.requests, [Quota::per_minute(n(3))]);
}

#[tokio::test(start_paused = true)]
async fn a_max_wait_of_zero_refuses_and_a_word_of_none_is_deaf() {
    let config = RateLimitConfig {
        max_wait: Some(Duration::ZERO),
        server_word: None,
        ..RateLimitConfig::from(ten_a_second(1))
    };
    let told = answering(429, &[("retry-after", "9")]);
    let mut service = config.layer().unwrap().layer(told);
    ready(&mut service).call(request()).await.unwrap();
    assert!(error(ready(&mut service).call(request()).await).is_rate_limited());
    assert_eq!(service.handle().stats().paused, None);
}

#[tokio::test(start_paused = true)]
async fn a_request_may_say_what_it_costs() {
    let config = RateLimitConfig {
        cost: vec![ten_a_second(10)],
        max_wait: Some(Duration::ZERO),
        ..RateLimitConfig::default()
    };
    let cost = HttpCost::or(|_: &http::Request<Empty>| 2);
    let layer = config.layer().unwrap().cost(cost);
    let mut service = layer.layer(Record::new().service());
    let available = |service: &_| standing(service);
    ready(&mut service).call(request()).await.unwrap();
    assert_eq!(available(&service.handle()), [8]);
    let mut dear = request();
    dear.extensions_mut().insert("an extension of another kind");
    dear.extensions_mut().insert(RequestCost(7));
    ready(&mut service).call(dear).await.unwrap();
    assert_eq!(available(&service.handle()), [1]);
    let mut free = request();
    free.extensions_mut().insert(RequestCost(0));
    let refused = error(ready(&mut service).call(free).await);
    assert_eq!(refused.kind(), ErrorKind::InvalidRequest);

    let plain = config.layer().unwrap().cost(HttpCost::new());
    let mut plain = plain.layer(Record::new().service());
    ready(&mut plain).call(request()).await.unwrap();
    assert_eq!(available(&plain.handle()), [9]);
}

fn standing(handle: &standpipe_rate_limit::Handle) -> Vec<u64> {
    handle.stats().available
}

#[tokio::test(start_paused = true)]
async fn max_concurrent_makes_a_layer_of_its_own() {
    let config = RateLimitConfig {
        max_concurrent: NonZeroUsize::new(1),
        max_wait: Some(Duration::ZERO),
        ..RateLimitConfig::default()
    };
    let layer = config.concurrency_layer().unwrap().unwrap();
    let mut service = layer.layer(Record::new().service());
    let under_way = ready(&mut service).call(request());
    assert!(error(ready(&mut service).call(request()).await).is_rate_limited());
    drop(under_way);
    ready(&mut service).call(request()).await.unwrap();
    let none = RateLimitConfig::default().concurrency_layer().unwrap();
    assert!(none.is_none());
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let word = ServerWord::default().max_pause(Duration::ZERO);
    let cases = [
        (
            "server_word.max_pause is 0ns, but must be more than zero",
            RateLimitConfig {
                server_word: Some(word),
                ..RateLimitConfig::default()
            },
        ),
        (
            "max_waiting is set, but with a max_wait of zero none wait",
            RateLimitConfig {
                max_wait: Some(Duration::ZERO),
                max_waiting: Some(3),
                ..RateLimitConfig::default()
            },
        ),
        (
            "max_concurrent is ",
            RateLimitConfig {
                max_concurrent: NonZeroUsize::new(Semaphore::MAX_PERMITS + 1),
                ..RateLimitConfig::default()
            },
        ),
    ];
    for (told, config) in cases {
        let errors = [
            config.check().unwrap_err(),
            config.layer().unwrap_err(),
            config.concurrency_layer().unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(told), "{error}");
        }
    }
    RateLimitConfig::default().check().unwrap();
}
