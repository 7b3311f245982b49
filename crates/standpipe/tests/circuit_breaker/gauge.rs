//! The state that a host's metrics show, when another circuit takes the place of the host's.

use standpipe::metrics::BreakerState;
use standpipe::{CircuitBreakerConfig, HostConfig, Pool};
use standpipe_test::memory::Network;
use tokio::time::advance;

use crate::circuit;
use crate::support::{URL, echo_on, on, peer, secs, spawn_get};

const OTHER: &str = "http://b.test/";

fn breaker() -> CircuitBreakerConfig {
    CircuitBreakerConfig::new().threshold(1)
}

/// A pool whose circuit to `a.test` is open: nobody listens there.
async fn open(network: &Network) -> Pool {
    let pool = on(network)
        .without_retry()
        .circuit_breaker(breaker())
        .host_idle_timeout(Some(secs(60)))
        .build()
        .unwrap();
    pool.get(URL).send().await.unwrap_err();
    assert_eq!(shown(&pool), (Some(BreakerState::Open), 1));
    pool
}

/// The state, and how often it changed.
fn shown(pool: &Pool) -> (Option<BreakerState>, u64) {
    let breaker = pool.host_metrics("a.test").unwrap().figures.breaker;
    (breaker.state, breaker.transitions)
}

const CLOSED: (Option<BreakerState>, u64) = (Some(BreakerState::Closed), 1);

#[tokio::test]
async fn another_circuit_is_closed_whatever_the_one_before_was_and_does() {
    let network = Network::new();
    let pool = open(&network).await;
    let before = circuit(&pool, URL);
    let other = HostConfig::new().circuit_breaker(breaker().half_open_max(2));
    pool.configure_host("a.test", &other).unwrap();
    assert_eq!(shown(&pool), CLOSED);
    before.reset();
    before.force_open();
    assert_eq!(shown(&pool), CLOSED);
    // The new one is told of.
    pool.get(URL).send().await.unwrap_err();
    assert_eq!(shown(&pool), (Some(BreakerState::Open), 2));
    pool.configure_host("a.test", HostConfig::new().no_circuit_breaker())
        .unwrap();
    assert_eq!(shown(&pool), (Some(BreakerState::Closed), 2));
}

#[tokio::test]
async fn requests_that_are_under_way_on_the_circuit_before_change_nothing_that_is_shown() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let pool = on(&network).circuit_breaker(breaker()).build().unwrap();
    let sent = spawn_get(&pool, URL);
    let mut server = peer(&listener).await;
    server.read_head().await.unwrap();
    let before = circuit(&pool, URL);
    before.force_open();
    let other = HostConfig::new().circuit_breaker(breaker().half_open_max(2));
    pool.configure_host("a.test", &other).unwrap();
    before.reset();
    before.force_open();
    assert_eq!(shown(&pool), CLOSED);
    server.respond("200 OK", "done").await.unwrap();
    assert_eq!(sent.await.unwrap().unwrap(), "done");
    assert_eq!(shown(&pool), CLOSED);
}

#[tokio::test]
async fn a_circuit_that_goes_on_under_other_settings_is_told_of() {
    let network = Network::new();
    let pool = open(&network).await;
    let header = HostConfig::new().default_header("x-version", "2");
    pool.configure_host("a.test", &header).unwrap();
    assert_eq!(shown(&pool), (Some(BreakerState::Open), 1));
    circuit(&pool, URL).reset();
    assert_eq!(shown(&pool), (Some(BreakerState::Closed), 2));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_was_forgotten_has_no_open_circuit() {
    let network = Network::new();
    let _server = echo_on(&network, "b.test:80");
    let pool = open(&network).await;
    let before = circuit(&pool, URL);
    advance(secs(61)).await;
    spawn_get(&pool, OTHER).await.unwrap().unwrap();
    assert!(pool.circuit_breaker(&crate::origin(URL)).is_none());
    assert_eq!(shown(&pool), CLOSED);
    before.reset();
    before.force_open();
    assert_eq!(shown(&pool), CLOSED);
}
