//! What an API allows in a minute, kept to beforehand and heeded when it says so.

use std::num::NonZeroU32;

use standpipe::{ErrorKind, HostConfig, Origin, Pool, Quota, RateLimitConfig};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::{World, ask};
use crate::server::Fault;
use crate::shape::{INPUT_TOKENS, OUTPUT_TOKENS, TEXT};
use crate::{ANTHROPIC, MAX_TOKENS, OPENAI, Of, secs};

fn per_minute(n: u32) -> Quota {
    Quota::per_minute(NonZeroU32::new(n).unwrap())
}

/// Limits the host, whose settings are otherwise as before.
fn limit(pool: &Pool, shape: Of, rate_limit: RateLimitConfig) {
    let config: HostConfig = shape.config().rate_limit(rate_limit);
    pool.configure_host(shape.host(), &config).unwrap();
}

/// Asks `n` times at once; all are answered.
async fn ask_many(pool: &Pool, shape: Of, n: usize) {
    let mut asking = JoinSet::new();
    for _ in 0..n {
        let pool = pool.clone();
        asking.spawn(async move { ask(&pool, shape, "Where does water run?").await });
    }
    while let Some(answer) = asking.join_next().await {
        assert_eq!(answer.unwrap().unwrap().text, TEXT.concat());
    }
}

fn available(pool: &Pool, shape: Of) -> Vec<u64> {
    let origin = Origin::parse(&format!("https://{}/", shape.host())).unwrap();
    pool.rate_limiter(&origin).unwrap().stats().available
}

#[tokio::test(start_paused = true)]
async fn a_quota_of_requests_keeps_to_what_the_api_allows() {
    for shape in [ANTHROPIC, OPENAI] {
        // In any minute of the server's there may be a burst and the refill.
        let world = World::with((40, 1_000_000));
        let pool = world.pool().build().unwrap();
        let rate_limit = RateLimitConfig {
            requests: vec![per_minute(20)],
            server_word: None,
            ..RateLimitConfig::default()
        };
        limit(&pool, shape, rate_limit);
        let begun = Instant::now();
        ask_many(&pool, shape, 60).await;
        assert_eq!(begun.elapsed().as_secs(), 120);
        assert_eq!(world.api(shape).seen().len(), 60);
        let limiter = pool.host_metrics(shape.host()).unwrap().limiter;
        assert_eq!((limiter.waited, limiter.rejected), (40, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_of_tokens_takes_the_estimate_and_gives_back_what_the_answer_did_not_cost() {
    let estimate = INPUT_TOKENS + MAX_TOKENS;
    let cost = INPUT_TOKENS + OUTPUT_TOKENS;
    assert_eq!((estimate, cost), (200, 40));
    for shape in [ANTHROPIC, OPENAI] {
        let world = World::with((1_000, 1_200));
        let pool = world.pool().build().unwrap();
        let rate_limit = RateLimitConfig {
            cost: vec![per_minute(600)],
            server_word: None,
            ..RateLimitConfig::default()
        };
        limit(&pool, shape, rate_limit);
        let begun = Instant::now();
        ask(&pool, shape, "Where does water run?").await.unwrap();
        assert_eq!(available(&pool, shape), [u64::from(600 - cost)]);
        // By the estimates alone the fourth would wait.
        for _ in 0..10 {
            ask(&pool, shape, "Where does water run?").await.unwrap();
        }
        assert_eq!(begun.elapsed().as_secs(), 0);
        assert_eq!(available(&pool, shape), [160]);
        // It may cost 200, and 10 come in a second.
        ask(&pool, shape, "One more?").await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), 4);
        // Who may cost more than there ever is need not wait for it.
        let refused = pool
            .post(format!("https://{}{}", shape.host(), shape.path()))
            .cost(601);
        assert_eq!(
            refused.send().await.unwrap_err().kind(),
            ErrorKind::InvalidRequest
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_one_answer_asks_for_holds_back_all_who_ask_the_same_api() {
    for (shape, other) in [(ANTHROPIC, OPENAI), (OPENAI, ANTHROPIC)] {
        let world = World::new();
        let pool = world.pool().build().unwrap();
        limit(&pool, shape, RateLimitConfig::default());
        world.api(shape).next([Fault::TooFast(secs(30))]);
        let begun = Instant::now();
        let first = tokio::spawn({
            let pool = pool.clone();
            async move { ask(&pool, shape, "Where does water run?").await }
        });
        while world.api(shape).answered(429) == 0 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(secs(1)).await;
        ask_many(&pool, other, 5).await;
        assert_eq!(begun.elapsed().as_secs(), 1);
        ask_many(&pool, shape, 5).await;
        first.await.unwrap().unwrap();
        let seen = world.api(shape).seen();
        assert_eq!(seen.len(), 7);
        for later in &seen[1..] {
            assert!(
                later.at - seen[0].at >= secs(30),
                "{:?}",
                later.at - seen[0].at
            );
        }
        assert_eq!(pool.host_metrics(shape.host()).unwrap().limiter.pauses, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_one_by_one_is_never_refused_since_each_answer_says_what_is_left() {
    for shape in [ANTHROPIC, OPENAI] {
        let world = World::with((30, 1_000_000));
        let pool = world.pool().build().unwrap();
        limit(&pool, shape, RateLimitConfig::default());
        let begun = Instant::now();
        for _ in 0..45 {
            ask(&pool, shape, "Where does water run?").await.unwrap();
        }
        // The rest went in the next minute.
        assert!(begun.elapsed() >= secs(60) && begun.elapsed() < secs(120));
        assert_eq!(
            (
                world.api(shape).answered(200),
                world.api(shape).answered(429)
            ),
            (45, 0)
        );
        assert!(pool.host_metrics(shape.host()).unwrap().limiter.waited > 0);
    }
}
