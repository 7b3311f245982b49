use std::sync::Arc;
use std::time::Duration;

use redis::Client;
use standpipe_core::sync::Mutex;
use standpipe_rate_limit::{Quota, Store, Verdict};
use standpipe_redis::{RedisEvent, RedisStore};
use standpipe_test::external::Redis;
use tokio::net::TcpListener;
use tokio::task::yield_now;
use tokio::time::{Instant, advance, timeout};

use crate::{admits, ask, client, hourly, n};

const PROBE: Duration = Duration::from_millis(200);
const HOUR: Duration = Duration::from_secs(60 * 60);

type Events = Arc<Mutex<Vec<RedisEvent>>>;

fn telling(client: Client) -> (RedisStore, Events) {
    let events = Events::default();
    let told = events.clone();
    let store = RedisStore::new(client, "outage", n(4))
        .probe_every(PROBE)
        .on_event(move |event| told.lock().push(event.clone()));
    (store, events)
}

/// With time enough for a busy machine. A server that is dead refuses at once.
fn store(redis: &Redis) -> (RedisStore, Events) {
    let (store, events) = telling(client(redis));
    (store.timeout(Duration::from_secs(5)), events)
}

/// How many of `tries` are admitted at once.
async fn admitted_of(tries: usize, store: &RedisStore, charges: &[(Quota, u32)]) -> usize {
    let mut admitted = 0;
    for _ in 0..tries {
        admitted += usize::from(admits(store, charges).await);
    }
    admitted
}

/// Asks until Redis decides again; whether it admits the first that it is asked for.
async fn first_when_back(store: &RedisStore, events: &Events, charges: &[(Quota, u32)]) -> bool {
    let is_back = |event: &RedisEvent| matches!(event, RedisEvent::Back { .. });
    let asking = async {
        loop {
            let admitted = admits(store, charges).await;
            if events.lock().iter().any(is_back) {
                return admitted;
            }
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), asking).await.unwrap()
}

/// RL-09 RL-10
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_dead_redis_leaves_each_process_its_share_and_comes_back_by_itself() {
    let mut redis = Redis::start().await.unwrap();
    let (store, events) = store(&redis);
    let charges = [(hourly(20), 1)];
    assert_eq!(admitted_of(21, &store, &charges).await, 20);
    redis.stop().unwrap();
    let admitted = admitted_of(1_000, &store, &charges).await;
    assert_eq!(admitted, 5, "a fourth of twenty");
    assert!(matches!(events.lock()[..], [RedisEvent::Lost { .. }]));

    redis.restart().await.unwrap();
    assert!(first_when_back(&store, &events, &charges).await);
    assert_eq!(
        admitted_of(99, &store, &charges).await,
        19,
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
    // No probe, which would not be told when the next is.
    let closed = closed.probe_every(HOUR);
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
        retry_after.is_some_and(|wait| wait <= HOUR),
        "{retry_after:?}"
    );
}

/// RL-09: one that accepts and never answers.
#[tokio::test(start_paused = true)]
async fn a_silent_redis_costs_three_requests_their_timeout_and_then_one_in_each_interval() {
    const TIMEOUT: Duration = Duration::from_millis(50);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}/", silent.local_addr().unwrap());
    let (store, events) = telling(Client::open(url).unwrap());
    let charges = [(hourly(100), 1)];
    let cost = async || {
        let asked = Instant::now();
        admits(&store, &charges).await;
        asked.elapsed()
    };
    for _ in 0..3 {
        assert!(events.lock().is_empty());
        assert_eq!(cost().await, TIMEOUT);
    }
    assert!(matches!(events.lock()[..], [RedisEvent::Lost { .. }]));
    for interval in 0..3 {
        for _ in 0..100 {
            assert_eq!(cost().await, Duration::ZERO, "{interval}");
        }
        advance(PROBE).await;
        assert_eq!(cost().await, TIMEOUT, "{interval}: the probe");
    }
    assert_eq!(events.lock().len(), 1, "{:?}", events.lock());
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
    assert!(first_when_back(&store, &events, &charges).await);
    assert_eq!(admitted_of(10, &store, &charges).await, 7);
    assert_eq!(events.lock().len(), 2);
}
