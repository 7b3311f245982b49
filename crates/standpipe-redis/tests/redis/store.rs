use std::time::Duration;

use http::Request;
use redis::Commands;
use standpipe_core::Body;
use standpipe_rate_limit::{Quota, RateLimitLayer, Settle, Store, Verdict};
use standpipe_test::external::Redis;
use standpipe_test::{MockResponse, MockService};
use tower::{Layer, ServiceExt};

use crate::{admits, ask, client, hourly, n, store};

/// RL-08
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server"]
async fn stores_of_one_name_share_one_limit_exactly() {
    let redis = Redis::start().await.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            // A store of its own, as in a process of its own.
            let store = store(&redis, "shared");
            tokio::spawn(async move {
                let mut admitted = 0;
                for _ in 0..100 {
                    admitted += usize::from(admits(&store, &[(hourly(300), 1)]).await);
                }
                admitted
            })
        })
        .collect();
    let mut admitted = 0;
    for task in tasks {
        admitted += task.await.unwrap();
    }
    assert_eq!(admitted, 300);
    assert!(admits(&store(&redis, "other"), &[(hourly(300), 1)]).await);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn all_quotas_admit_or_none_is_charged() {
    let redis = Redis::start().await.unwrap();
    let store = store(&redis, "both");
    let charges = |tokens| [(hourly(5), 1), (hourly(100), tokens)];
    assert!(admits(&store, &charges(90)).await);
    for _ in 0..10 {
        assert!(!admits(&store, &charges(90)).await);
    }
    for _ in 0..4 {
        assert!(admits(&store, &charges(2)).await);
    }
    assert!(!admits(&store, &charges(2)).await);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_place_ahead_is_reserved_and_what_is_too_far_is_refused() {
    let redis = Redis::start().await.unwrap();
    let store = store(&redis, "ahead");
    let hour = Duration::from_secs(3_600);
    let charges = [(hourly(1), 1)];
    assert!(admits(&store, &charges).await);
    let far = store.admit(ask(&charges, hour / 2)).await.verdict;
    let Verdict::Refused {
        retry_after: Some(wait),
    } = far
    else {
        panic!("{far:?}");
    };
    assert!(wait > hour - Duration::from_secs(60) && wait <= hour);
    for places in 1..3 {
        let ahead = store.admit(ask(&charges, 3 * hour)).await.verdict;
        let Verdict::Admitted { after } = ahead else {
            panic!("{ahead:?}");
        };
        let at = places * hour;
        assert!(
            after > at - Duration::from_secs(60) && after <= at,
            "{after:?}"
        );
    }
}

/// RL-12
#[tokio::test]
#[ignore = "needs redis-server"]
async fn keys_share_a_hash_tag_and_expire_when_their_bucket_is_full() {
    let redis = Redis::start().await.unwrap();
    let store = store(&redis, "a}b");
    let second = Quota::per_second(n(10));
    assert!(admits(&store, &[(second, 5), (hourly(60), 1)]).await);
    let mut connection = client(&redis).get_connection().unwrap();
    let mut keys: Vec<String> = connection.keys("*").unwrap();
    keys.sort();
    assert_eq!(keys, ["standpipe:{limit:a}b}:0", "standpipe:{limit:a}b}:1"]);
    let slots: Vec<u64> = keys
        .iter()
        .map(|key| connection.pttl::<_, i64>(key).unwrap().try_into().unwrap())
        .collect();
    assert!(slots[0] <= 502, "{slots:?}");
    assert!(slots[1] > 3_500_000 && slots[1] <= 3_600_002, "{slots:?}");
}

/// RL-08
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_script_that_redis_forgot_is_loaded_again() {
    let redis = Redis::start().await.unwrap();
    let store = store(&redis, "script");
    assert!(admits(&store, &[(hourly(2), 1)]).await);
    let mut connection = client(&redis).get_connection().unwrap();
    redis::cmd("SCRIPT")
        .arg("FLUSH")
        .exec(&mut connection)
        .unwrap();
    assert!(admits(&store, &[(hourly(2), 1)]).await);
    assert!(!admits(&store, &[(hourly(2), 1)]).await);
    let calls: String = redis::cmd("INFO")
        .arg("commandstats")
        .query(&mut connection)
        .unwrap();
    assert!(calls.contains("cmdstat_evalsha:"), "{calls}");
    assert!(
        !calls.contains("cmdstat_eval:"),
        "the text is sent once: {calls}"
    );
}

/// RL-08: the clock is the server's, so what the clients' clocks say changes nothing. The script is
/// given no time at all but lengths.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn nothing_that_is_sent_depends_on_the_clients_clock() {
    let redis = Redis::start().await.unwrap();
    let store = store(&redis, "clock");
    let mut connection = client(&redis).get_connection().unwrap();
    let before: (u64, u64) = redis::cmd("TIME").query(&mut connection).unwrap();
    assert!(admits(&store, &[(hourly(10), 10)]).await);
    let full: u64 = connection.get("standpipe:{limit:clock}:0").unwrap();
    let full_in = full / 1_000_000 - before.0;
    assert!((36_000..36_060).contains(&full_in), "{full_in}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_was_settled_reaches_the_fleet() {
    let redis = Redis::start().await.unwrap();
    let mock = MockService::new();
    mock.add_response("*", MockResponse::new(200));
    let request = || Request::new(Body::empty());
    let layer = |cost: u32| {
        RateLimitLayer::builder()
            .cost(hourly(100), move |_: &Request<Body>| cost)
            .store(store(&redis, "tokens"))
            .reject()
            .build()
    };
    let one = layer(10).layer(mock.clone());
    let response = one.clone().oneshot(request()).await.unwrap();
    response.extensions().get::<Settle>().unwrap().settle(70);
    one.oneshot(request()).await.unwrap();
    // Eighty are gone.
    let other = layer(21).layer(mock.clone());
    let refused = other.oneshot(request()).await.unwrap_err();
    assert!(standpipe_core::Error::from_boxed(refused).is_rate_limited());
    let other = layer(20).layer(mock.clone());
    other.oneshot(request()).await.unwrap();
}
