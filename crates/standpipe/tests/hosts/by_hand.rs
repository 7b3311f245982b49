//! What is set by hand on a host's handles, and settings that change beside it.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use standpipe::{HostConfig, HostStack, Origin, PerOrigin, Pool, Quota, RateLimitConfig};
use standpipe_test::memory::Network;
use tower::layer::layer_fn;

use crate::support::{URL, at_once, echo_on, on, peer, pool_and_listener, settle, spawn_get};
use crate::{echo, per_minute};

fn n(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn quota(requests: u32) -> Quota {
    Quota::per_minute(NonZeroU32::new(requests).unwrap())
}

fn concurrent(most: usize) -> RateLimitConfig {
    RateLimitConfig {
        max_concurrent: Some(n(most)),
        ..per_minute(60)
    }
}

#[tokio::test(start_paused = true)]
async fn quotas_set_by_hand_stay_until_their_own_settings_change() {
    let network = Network::new();
    let _server = echo_on(&network, "a.test:80");
    let config = HostConfig::new().rate_limit(concurrent(5));
    let pool = on(&network).host("a.test", config.clone()).build().unwrap();
    echo(&pool, URL).await;
    let origin = Origin::parse(URL).unwrap();
    let limiter = || pool.rate_limiter(&origin).unwrap();
    let concurrency = || pool.concurrency_limit(&origin).unwrap();
    assert!(limiter().set_quota(0, quota(10)));
    concurrency().set_limit(n(2));

    let other_header = config.clone().default_header("x-version", "2");
    pool.configure_host("a.test", &other_header).unwrap();
    assert_eq!(limiter().stats().available, [9]);
    assert_eq!(concurrency().limit(), 2);

    // One of both: the other stays.
    let other_quota = RateLimitConfig {
        max_concurrent: Some(n(5)),
        ..per_minute(30)
    };
    pool.configure_host("a.test", config.clone().rate_limit(other_quota))
        .unwrap();
    assert_eq!(limiter().stats().available, [29]);
    assert_eq!(concurrency().limit(), 2);
    pool.configure_host("a.test", config.rate_limit(concurrent(7)))
        .unwrap();
    assert_eq!(concurrency().limit(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_concurrency_limit_set_by_hand_ends_when_its_setting_is_taken_away() {
    let network = Network::new();
    let _server = echo_on(&network, "a.test:80");
    let on_again = HostConfig::new().rate_limit(concurrent(5));
    let pool = on(&network)
        .host("a.test", on_again.clone())
        .build()
        .unwrap();
    echo(&pool, URL).await;
    let origin = Origin::parse(URL).unwrap();
    pool.concurrency_limit(&origin).unwrap().set_limit(n(2));
    pool.configure_host("a.test", HostConfig::new()).unwrap();
    assert!(pool.concurrency_limit(&origin).is_none());
    pool.configure_host("a.test", on_again).unwrap();
    assert_eq!(pool.concurrency_limit(&origin).unwrap().limit(), 5);
}

/// How many connections `a.test` is allowed at this moment.
async fn allowed(pool: &Pool, network: &Network) -> usize {
    pool.close_idle();
    settle().await;
    let before = network.dials();
    let sent: Vec<_> = (0..6).map(|_| spawn_get(pool, URL)).collect();
    settle().await;
    let dials = network.dials() - before;
    sent.iter().for_each(|sent| sent.abort());
    settle().await;
    dials
}

#[tokio::test]
async fn a_bound_on_connections_set_by_hand_stays_until_its_own_setting_changes() {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let config = HostConfig::new().max_connections(3);
    let pool = on(&network).host("a.test", config.clone()).build().unwrap();
    assert_eq!(allowed(&pool, &network).await, 3);
    let origin = Origin::parse(URL).unwrap();
    let transport = pool.transport().unwrap().origin(&origin);
    transport.set_max_connections(Some(n(2)));
    let other_header = config.clone().default_header("x-version", "2");
    pool.configure_host("a.test", &other_header).unwrap();
    assert_eq!(allowed(&pool, &network).await, 2);
    pool.configure_host("a.test", config.max_connections(4))
        .unwrap();
    assert_eq!(allowed(&pool, &network).await, 4);

    // Without a setting there is nothing to change it.
    transport.set_max_connections(Some(n(1)));
    pool.configure_host("a.test", HostConfig::new()).unwrap();
    assert_eq!(allowed(&pool, &network).await, 6);
    transport.set_max_connections(Some(n(1)));
    pool.configure_host("a.test", other_header.max_connections(5))
        .unwrap();
    assert_eq!(allowed(&pool, &network).await, 5);
}

#[tokio::test]
async fn a_bound_set_by_hand_before_the_first_request_holds() {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let pool = on(&network).build().unwrap();
    let origin = Origin::parse(URL).unwrap();
    let transport = pool.transport().unwrap().origin(&origin);
    transport.set_max_connections(Some(n(2)));
    assert_eq!(allowed(&pool, &network).await, 2);
}

/// The stack is made of the settings before, while another request makes one of those after.
#[tokio::test]
async fn the_first_request_to_a_host_cannot_bring_settings_back_that_have_changed_meanwhile() {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let pool = Arc::new(OnceLock::<Pool>::new());
    let (at_work, first) = (Arc::clone(&pool), Arc::new(AtomicBool::new(true)));
    let changing = PerOrigin(move |_: &Origin| {
        if first.swap(false, Ordering::Relaxed) {
            let pool = at_work.get().unwrap();
            let config = HostConfig::new().max_connections(1);
            pool.configure_host("a.test", &config).unwrap();
            assert!(at_once(pool.get(URL).send()).is_none());
        }
        layer_fn(|inner| inner)
    });
    let built = on(&network)
        .host("a.test", HostConfig::new().max_connections(3))
        .host_stack(|stack: HostStack| stack.attempt(changing))
        .build()
        .unwrap();
    let pool = pool.get_or_init(|| built);
    assert_eq!(allowed(pool, &network).await, 1);
}

#[tokio::test]
async fn requests_under_way_count_when_their_limit_was_off_for_a_while() {
    let limited = HostConfig::new().rate_limit(concurrent(1));
    let (_network, listener, pool) = pool_and_listener(|pool| pool.host("a.test", limited.clone()));
    let first = spawn_get(&pool, URL);
    let mut one = peer(&listener).await;
    one.read_head().await.unwrap();
    let origin = Origin::parse(URL).unwrap();
    pool.configure_host("a.test", HostConfig::new()).unwrap();
    assert!(pool.concurrency_limit(&origin).is_none());
    assert_eq!(pool.stats().origins[0].concurrency, None);
    pool.configure_host("a.test", &limited).unwrap();
    let limit = pool.concurrency_limit(&origin).unwrap();
    assert_eq!((limit.limit(), limit.in_flight()), (1, 1));
    let second = spawn_get(&pool, URL);
    settle().await;
    assert_eq!(limit.waiting(), 1);
    for sent in [first, second] {
        one.respond("200 OK", "done").await.unwrap();
        assert_eq!(sent.await.unwrap().unwrap(), "done");
    }
}
