//! Who is told, and what is off.

use std::sync::Arc;

use standpipe::metrics::{Event, HostLabels, HostRecord};
use standpipe::{CircuitBreakerConfig, Recorder, RetryPolicy};
use standpipe_core::sync::Mutex;
use standpipe_test::memory::Network;

use crate::support::{URL, echo_on, on, settle};

type Words = Arc<Mutex<Vec<String>>>;

struct Tell(Words);
struct TellHost(Words, String);

impl Recorder for Tell {
    fn host(&self, host: &HostLabels<'_>) -> Option<Arc<dyn HostRecord>> {
        let host = host.address().to_owned();
        Some(Arc::new(TellHost(Arc::clone(&self.0), host)))
    }
}

impl HostRecord for TellHost {
    fn record(&self, event: &Event<'_>) {
        let word = format!("{event:?}");
        let word = word.split([' ', '(', '{']).next().unwrap_or_default();
        self.0.lock().push(format!("{} {word}", self.1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorder_is_told_of_requests_retries_dials_and_circuits() {
    let network = Network::new();
    let words = Words::default();
    let pool = on(&network)
        .recorder(Tell(Arc::clone(&words)))
        .retry_policy(RetryPolicy::new().max_retries(1))
        .circuit_breaker(CircuitBreakerConfig::new().threshold(2))
        .build()
        .unwrap();
    pool.get(URL).send().await.unwrap_err();
    let told = words.lock().clone();
    let expected = [
        "Started",
        "Started",
        "DialFailed",
        "Ended",
        "Retried",
        "RetryBudget",
        "Started",
        "DialFailed",
        "Ended",
        "BreakerTransition",
        "RetryGivenUp",
        "RetryBudget",
        "Ended",
    ];
    assert_eq!(told, expected.map(|word| format!("a.test {word}")));
}

#[tokio::test]
async fn without_metrics_nothing_is_counted_but_connections() {
    let network = Network::new();
    let _server = echo_on(&network, "a.test:80");
    let words = Words::default();
    let builder = on(&network).recorder(Tell(Arc::clone(&words)));
    let pool = builder.without_metrics().build().unwrap();
    pool.get(URL).send().await.unwrap().bytes().await.unwrap();
    let metrics = pool.metrics();
    assert_eq!(
        (
            metrics.hosts,
            metrics.requests.total,
            metrics.attempts.total
        ),
        (0, 0, 0)
    );
    assert_eq!(metrics.connections.opened, 1);
    assert!(pool.host_metrics("a.test").is_none());
    assert!(words.lock().is_empty());
}

#[tokio::test]
async fn hosts_beyond_the_bound_are_counted_together() {
    let network = Network::new();
    let names = ["a.test:80", "b.test:80", "c.test:80"];
    let _servers = names.map(|name| echo_on(&network, name));
    let pool = on(&network).max_hosts_in_metrics(1).build().unwrap();
    for host in names {
        let answer = pool.get(format!("http://{host}/")).send().await.unwrap();
        answer.bytes().await.unwrap();
    }
    assert_eq!(pool.metrics().hosts, 1);
    assert_eq!(pool.metrics().requests.total, 3);
    assert_eq!(pool.host_metrics("_OTHER").unwrap().requests.total, 2);
    assert!(pool.host_metrics("b.test").is_none());
}

#[tokio::test]
async fn a_clone_of_a_builder_tells_the_same_recorder_and_counts_for_itself() {
    let network = Network::new();
    let _server = echo_on(&network, "a.test:80");
    let words = Words::default();
    let builder = on(&network).recorder(Tell(Arc::clone(&words)));
    let pools = [builder.clone().build().unwrap(), builder.build().unwrap()];
    for pool in &pools {
        pool.get(URL).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(pool.metrics().requests.total, 1);
    }
    let started = |word: &&String| *word == "a.test Started";
    assert_eq!(words.lock().iter().filter(started).count(), 4);
}

#[tokio::test]
async fn a_recorder_is_told_which_connections_are_in_use() {
    let network = Network::new();
    let server = echo_on(&network, "a.test:80");
    let words = Words::default();
    let builder = on(&network).recorder(Tell(Arc::clone(&words)));
    let pool = builder.build().unwrap();
    pool.get(URL).send().await.unwrap().bytes().await.unwrap();
    pool.close_idle();
    server.until(|stats| stats.open == 0).await;
    settle().await;
    let told = words.lock().clone();
    let moves = told.iter().filter(|word| word.ends_with("ConnectionMoved"));
    // Opened, leased, given back, closed.
    assert_eq!(moves.count(), 4, "{told:?}");
    assert!(told.contains(&"a.test ConnectionClosed".to_owned()));
    let metrics = pool.metrics();
    let connections = &metrics.connections;
    assert_eq!((connections.opened, connections.closed), (1, 1));
}
