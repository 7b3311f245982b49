//! Settings, handles and what the pool's figures show.

use std::sync::atomic::Ordering;

use standpipe::{CircuitBreakerConfig, CircuitState, ErrorKind, HostConfig, Pool, PoolConfig};
use standpipe_test::memory::Network;
use tokio::time::advance;

use crate::support::{URL, on, secs};
use crate::{Moody, circuit, origin, status};

#[tokio::test(start_paused = true)]
async fn the_state_stands_in_the_figures_of_the_pool() {
    let network = Network::new();
    let a = Moody::start(&network, "a.test:80");
    let _b = Moody::start(&network, "b.test:80");
    let host = HostConfig::new().no_circuit_breaker();
    let builder = on(&network).without_retry().host("b.test", host);
    let pool = builder.build().unwrap();
    assert!(pool.stats().origins.is_empty());
    assert!(pool.circuit_breaker(&origin(URL)).is_none());
    a.answers(500);
    for _ in 0..5 {
        status(&pool, URL).await;
        status(&pool, "http://b.test/").await;
    }
    let _dead = pool.get("http://nobody.test:81/").send().await;
    let stats = pool.stats();
    let shown: Vec<_> = stats
        .origins
        .iter()
        .map(|known| {
            (
                known.origin.host(),
                known.circuit,
                known.connections.requests,
            )
        })
        .collect();
    let expected = [
        ("a.test", Some(CircuitState::Open), 5),
        ("b.test", None, 5),
        ("nobody.test", Some(CircuitState::Closed), 0),
    ];
    assert_eq!(shown, expected);
    assert!(pool.circuit_breaker(&origin("http://b.test/")).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_circuit_is_changed_and_watched_by_hand() {
    let network = Network::new();
    let server = Moody::start(&network, "a.test:80");
    let pool = on(&network).build().unwrap();
    assert_eq!(status(&pool, URL).await, Some(200));
    let circuit = circuit(&pool, URL);
    let watch = circuit.watch();
    circuit.force_open();
    assert_eq!(status(&pool, URL).await, None);
    assert_eq!(*watch.borrow(), CircuitState::Open);
    circuit.reset();
    assert_eq!(status(&pool, URL).await, Some(200));
    assert_eq!((server.requests(), circuit.counts().rejected), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_host_has_a_breaker_of_its_own_and_the_pool_may_have_none() {
    let network = Network::new();
    let servers = ["a.test:80", "b.test:80"].map(|name| Moody::start(&network, name));
    servers.iter().for_each(|server| server.answers(500));
    let quick = CircuitBreakerConfig::new().threshold(2);
    let pool = on(&network)
        .without_retry()
        .without_circuit_breaker()
        .host("b.test", HostConfig::new().circuit_breaker(quick.clone()))
        .build()
        .unwrap();
    assert_eq!(pool.config().circuit_breaker, None);
    for _ in 0..10 {
        status(&pool, URL).await;
        status(&pool, "http://b.test/").await;
    }
    let requests = servers.each_ref().map(Moody::requests);
    assert_eq!(requests, [10, 2]);

    let pool = on(&network)
        .without_retry()
        .circuit_breaker(quick)
        .build()
        .unwrap();
    for _ in 0..10 {
        status(&pool, URL).await;
    }
    assert_eq!(servers[0].requests(), 12);
}

#[test]
fn a_breaker_that_makes_no_sense_is_refused_by_name() {
    let wrong = CircuitBreakerConfig::new().threshold(0);
    let error = Pool::builder()
        .circuit_breaker(wrong.clone())
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    assert!(
        text.contains("circuit_breaker: threshold is 0, but must be from 1"),
        "{text}"
    );
    let host = HostConfig::new().circuit_breaker(wrong);
    let error = Pool::builder().host("a.test", host).build().unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("circuit_breaker of host a.test: threshold is 0"),
        "{text}"
    );
    let config = PoolConfig {
        circuit_breaker: None,
        ..PoolConfig::default()
    };
    assert!(Pool::builder().config(config).build().is_ok());
}

/// A probe does not lose its place while it may still be answered.
#[tokio::test(start_paused = true)]
async fn a_probe_is_given_as_long_as_an_attempt_may_take() {
    let network = Network::new();
    let server = Moody::start(&network, "a.test:80");
    let config = CircuitBreakerConfig::new().probe_timeout(secs(1));
    let builder = on(&network).without_retry().circuit_breaker(config);
    let pool = builder.attempt_timeout(Some(secs(20))).build().unwrap();
    server.answers(500);
    for _ in 0..5 {
        status(&pool, URL).await;
    }
    server.answers(200);
    server.held.store(true, Ordering::Relaxed);
    advance(secs(33)).await;
    let probe = tokio::spawn(pool.get(URL).send());
    server.gate.arrived(1).await;
    advance(secs(19)).await;
    assert_eq!(status(&pool, URL).await, None);
    server.gate.open();
    assert_eq!(probe.await.unwrap().unwrap().status(), 200);
    assert_eq!(server.requests(), 6);
}
