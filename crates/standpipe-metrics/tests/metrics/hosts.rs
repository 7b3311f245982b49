use super::*;
use standpipe_core::ErrorKind;
use standpipe_metrics::{BreakerState, ConnectionState};

#[tokio::test(start_paused = true)]
async fn hosts_are_counted_apart_and_spellings_of_one_together() {
    let registry = Registry::new();
    let service = counted(&registry, by_path());
    for url in [
        "https://a.b/200",
        "https://A.B:443/200",
        "http://a.b/200",
        "https://c.d/200",
        "http://[::1]:8080/200",
    ] {
        ask(&service, url).await.unwrap();
    }
    let total = |host: &str| registry.host_metrics(host).map(|host| host.requests.total);
    assert_eq!(total("a.b"), Some(3));
    assert_eq!(total("A.B."), Some(3));
    assert_eq!(total("https://a.b"), Some(2));
    assert_eq!(total("http://a.b:80/x"), Some(1));
    assert_eq!(total("::1"), Some(1));
    assert_eq!(total("[::1]"), Some(1));
    assert_eq!(total("nobody"), None);
    assert_eq!(total("http://u:p@a.b"), None);
    let hosts = registry.hosts();
    let names: Vec<_> = hosts.iter().map(|host| &*host.name).collect();
    let all = [
        "http://[::1]:8080",
        "http://a.b",
        "https://a.b",
        "https://c.d",
    ];
    assert_eq!(names, all);
}

/// RTR-08
#[tokio::test(start_paused = true)]
async fn hosts_over_the_bound_are_one() {
    let registry = Registry::builder().max_hosts(10).build();
    let service = counted(&registry, by_path());
    for round in 0..2 {
        for n in 0..1_000 {
            let url = format!("http://host{n}.test/200");
            ask(&service, &url).await.unwrap();
            registry.host(&origin(&url)).limiter_rejected();
        }
        let metrics = registry.metrics();
        assert_eq!(
            (metrics.hosts, metrics.requests.total),
            (10, 1_000 * (round + 1))
        );
        let other = registry.host_metrics("_OTHER").unwrap();
        assert_eq!(other.requests.total, 990 * (round + 1));
        assert_eq!(other.limiter.rejected, 990 * (round + 1));
    }
    // Those who came first keep their places.
    assert_eq!(
        registry.host_metrics("host9.test").unwrap().requests.total,
        2
    );
    assert_eq!(registry.hosts().len(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_one_origin_counts_for_it_whatever_the_url_says() {
    let registry = Registry::new();
    let layer = AttemptMetricsLayer::for_origin(registry.clone(), &origin("https://a.b"));
    let response = layer.layer(by_path()).oneshot(get("/200")).await;
    response.unwrap();
    assert_eq!(registry.host_metrics("a.b").unwrap().attempts.total, 1);
}

#[test]
fn what_the_other_layers_tell_is_counted() {
    let registry = Registry::new();
    let host = registry.host(&origin("https://a.b"));
    let second = Duration::from_secs(1);
    host.retried(1, second);
    host.retry_given_up("budget");
    host.retry_budget(2.5);
    registry.host(&origin("https://c.d")).retry_budget(1.0);
    host.breaker_transition(BreakerState::Closed, BreakerState::Open);
    host.breaker_transition(BreakerState::Open, BreakerState::HalfOpen);
    host.limiter_waited(second);
    host.limiter_waited(Duration::MAX);
    host.limiter_rejected();
    host.limiter_paused(second);
    host.dial_failed(ErrorKind::Dns);
    host.acquire_waited(second);
    for _ in 0..3 {
        host.connection_opened(ConnectionState::Active);
    }
    host.connection_moved(ConnectionState::Active, ConnectionState::Idle);
    host.connection_closed(ConnectionState::Active, "error", 4 * second);
    host.connection_closed(ConnectionState::Idle, "idle", 2 * second);

    let metrics = registry.metrics();
    let retries = metrics.retries;
    assert_eq!(
        (retries.retried, retries.given_up, retries.budget),
        (1, 1, Some(3.5))
    );
    let breaker = metrics.breaker;
    assert_eq!(breaker.state, Some(BreakerState::HalfOpen));
    assert_eq!(
        (breaker.opened, breaker.transitions, breaker.not_closed),
        (1, 2, 1)
    );
    let limiter = metrics.limiter;
    assert_eq!(
        (limiter.waited, limiter.rejected, limiter.pauses),
        (2, 1, 1)
    );
    let connections = &metrics.connections;
    assert_eq!((connections.active, connections.idle), (1, 0));
    assert_eq!((connections.opened, connections.closed), (3, 2));
    assert_eq!(
        connections.closed_by_reason,
        [("error", 1), ("idle", 1)].into()
    );
    assert_eq!(connections.average_lifetime, 3 * second);
    assert_eq!(connections.dial_failures, 1);
    assert_eq!(
        (
            connections.acquire_wait.count,
            connections.acquire_wait.total
        ),
        (1, second)
    );
}

#[tokio::test(start_paused = true)]
async fn methods_beyond_the_known_are_other_and_the_list_can_be_replaced() {
    let seen = recorder::Seen::default();
    let registry = Registry::builder()
        .recorder(seen.clone())
        .known_methods(["GET", "BREW"])
        .build();
    let service = counted(&registry, by_path());
    for method in ["GET", "POST", "BREW", "brew"] {
        let mut request = get("https://a.b/200");
        *request.method_mut() = method.parse().unwrap();
        service.clone().oneshot(request).await.unwrap();
    }
    let methods = seen.started();
    assert_eq!(methods, ["GET", "_OTHER", "BREW", "_OTHER"]);
}

/// TO-07
#[test]
fn absurd_durations_are_counted_without_a_panic() {
    let registry = Registry::new();
    for host in ["https://a.b", "https://c.d"] {
        let host = registry.host(&origin(host));
        for _ in 0..3 {
            for time in [Duration::MAX, Duration::ZERO] {
                host.retried(u32::MAX, time);
                host.limiter_waited(time);
                host.limiter_paused(time);
                host.acquire_waited(time);
                host.connection_closed(ConnectionState::Idle, "idle", time);
            }
            host.retry_budget(f64::NAN);
        }
    }
    let metrics = registry.metrics();
    assert_eq!(metrics.connections.acquire_wait.count, 12);
    assert_eq!(
        (metrics.connections.idle, metrics.connections.closed),
        (0, 12)
    );
    assert_eq!(metrics.retries.budget, None);
    assert_eq!(registry.hosts().len(), 2);
}

#[test]
fn a_circuit_that_is_replaced_changes_its_hosts_state_and_is_no_transition() {
    let registry = Registry::new();
    let host = registry.host(&origin("https://a.b"));
    host.breaker_replaced(BreakerState::Closed);
    assert_eq!(registry.metrics().breaker.state, None, "none was told of");
    host.breaker_transition(BreakerState::Closed, BreakerState::Open);
    host.breaker_replaced(BreakerState::Closed);
    let breaker = registry.metrics().breaker;
    assert_eq!(breaker.state, Some(BreakerState::Closed));
    assert_eq!((breaker.transitions, breaker.not_closed), (1, 0));
}
