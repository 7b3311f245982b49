use std::sync::Arc;

use standpipe_core::sync::Mutex;
use std::time::Duration;

use standpipe_rate_limit::{Store, Verdict};
use standpipe_redis::{RedisEvent, RedisStore};
use standpipe_test::external::Redis;
use tokio::time::Instant;

use crate::{admits, ask, client, hourly, n};

const PROBE: Duration = Duration::from_millis(200);

type Events = Arc<Mutex<Vec<RedisEvent>>>;

fn store(redis: &Redis) -> (RedisStore, Events) {
    let events = Events::default();
    let told = events.clone();
    let store = RedisStore::new(client(redis), "outage", n(4))
        .probe_every(PROBE)
        .on_event(move |event| told.lock().push(event.clone()));
    (store, events)
}

/// RL-09 RL-10
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_dead_redis_leaves_each_process_its_share_and_comes_back_by_itself() {
    let mut redis = Redis::start().await.unwrap();
    let (store, events) = store(&redis);
    let charges = [(hourly(20), 1)];
    for _ in 0..20 {
        assert!(admits(&store, &charges).await);
    }
    assert!(!admits(&store, &charges).await);
    redis.stop().unwrap();
    let begin = Instant::now();
    let mut admitted = 0;
    for _ in 0..1_000 {
        admitted += usize::from(admits(&store, &charges).await);
    }
    assert_eq!(admitted, 5, "a fourth of twenty");
    // One request waits for the dead server in each interval of the probes, not a thousand.
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
    assert!(matches!(events.lock()[..], [RedisEvent::Lost { .. }]));

    redis.restart().await.unwrap();
    tokio::time::sleep(PROBE + Duration::from_millis(100)).await;
    admitted = 0;
    for _ in 0..100 {
        admitted += usize::from(admits(&store, &charges).await);
    }
    assert_eq!(
        admitted, 20,
        "it has lost its state: one burst too many, and no more"
    );
    let events = events.lock();
    assert!(
        matches!(
            events[..],
            [RedisEvent::Lost { .. }, RedisEvent::Back { .. }]
        ),
        "{events:?}"
    );
}

/// RL-09
#[tokio::test]
#[ignore = "needs redis-server"]
async fn open_admits_and_closed_refuses_while_redis_is_away() {
    let mut redis = Redis::start().await.unwrap();
    let (open, closed) = (store(&redis).0.fail_open(), store(&redis).0.fail_closed());
    let charges = [(hourly(1), 1)];
    assert!(admits(&open, &charges).await);
    redis.stop().unwrap();
    for _ in 0..10 {
        assert!(admits(&open, &charges).await);
        assert!(!admits(&closed, &charges).await);
    }
    let verdict = closed.admit(ask(&charges, Duration::MAX)).await.verdict;
    let Verdict::Refused { retry_after } = verdict else {
        panic!("{verdict:?}");
    };
    assert!(
        retry_after.is_some_and(|wait| wait <= PROBE),
        "{retry_after:?}"
    );
}

/// RL-09: one that accepts and never answers.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_slow_redis_costs_a_request_its_timeout_and_no_more() {
    let redis = Redis::start().await.unwrap();
    let (store, events) = store(&redis);
    let charges = [(hourly(100), 1)];
    assert!(admits(&store, &charges).await);
    let mut connection = client(&redis).get_connection().unwrap();
    let pause = redis::cmd("CLIENT")
        .arg("PAUSE")
        .arg(2_000)
        .arg("ALL")
        .to_owned();
    pause.exec(&mut connection).unwrap();
    let mut slowest = Duration::ZERO;
    let begin = Instant::now();
    for _ in 0..200 {
        let asked = Instant::now();
        admits(&store, &charges).await;
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_millis(250), "{slowest:?}");
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
    let lost = events.lock().first().cloned();
    assert!(matches!(lost, Some(RedisEvent::Lost { .. })), "{lost:?}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_redis_that_is_not_there_at_the_start_is_found_later() {
    let mut redis = Redis::start().await.unwrap();
    redis.stop().unwrap();
    let (store, events) = store(&redis);
    let charges = [(hourly(8), 1)];
    assert!(admits(&store, &charges).await, "the share");
    redis.restart().await.unwrap();
    tokio::time::sleep(PROBE + Duration::from_millis(100)).await;
    for _ in 0..8 {
        assert!(admits(&store, &charges).await);
    }
    assert_eq!(events.lock().len(), 2);
}
