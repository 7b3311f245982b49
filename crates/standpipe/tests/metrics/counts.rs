//! The figures against what the server saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use standpipe::{Pool, PoolMetrics};
use standpipe_test::memory::Network;
use standpipe_test::{Gate, Server};

use crate::assert_adds_up;
use crate::support::{URL, on, secs, settle};

/// A server whose answer the path says; `/once` fails the first time that a number is asked for.
fn server(network: &Network, address: &str, gate: &Gate) -> Server {
    let (failed, gate) = (Arc::new(AtomicUsize::new(0)), gate.clone());
    Server::builder()
        .handler(move |request: Request<Incoming>| {
            let (failed, gate) = (Arc::clone(&failed), gate.clone());
            async move {
                let status = match request.uri().path() {
                    "/missing" => 404,
                    "/broken" => 500,
                    "/once" if failed.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) => 503,
                    "/held" => {
                        gate.wait().await;
                        200
                    }
                    _ => 200,
                };
                let response = Response::builder().status(status);
                response.body(Full::new(Bytes::from("hello"))).unwrap()
            }
        })
        .start_on(network.listen(address))
}

fn pool(network: &Network) -> Pool {
    on(network)
        .without_circuit_breaker()
        .retry_policy(standpipe::RetryPolicy::new().budget(None))
        .build()
        .unwrap()
}

/// Issue's word: counts agree exactly with what a real server counted, with failures, retries, and
/// cancellations made after the server had the head.
#[tokio::test(start_paused = true)]
async fn the_figures_agree_with_what_the_server_counted() {
    const ROUNDS: u64 = 600;
    let network = Network::new();
    let gate = Gate::new();
    let server = server(&network, "a.test:80", &gate);
    let pool = pool(&network);
    for _ in 0..ROUNDS {
        for path in ["", "missing", "broken", "once"] {
            let response = pool.get(format!("{URL}{path}")).send().await.unwrap();
            assert_eq!(response.bytes().await.unwrap(), "hello");
        }
        let held = tokio::spawn(pool.get(format!("{URL}held")).send());
        gate.arrived(1).await;
        assert_adds_up(&pool.metrics().requests);
        held.abort();
        let _ = held.await;
        settle().await;
    }
    let metrics = pool.metrics();
    let (requests, attempts) = (&metrics.requests, &metrics.attempts);
    assert_adds_up(requests);
    assert_adds_up(attempts);
    assert_eq!(requests.total, 5 * ROUNDS);
    assert_eq!((requests.successful, requests.failed), (3 * ROUNDS, ROUNDS));
    assert_eq!((requests.cancelled, requests.in_flight), (ROUNDS, 0));
    assert_eq!(requests.statuses.client_error, ROUNDS);
    assert_eq!(requests.statuses.server_error, ROUNDS);
    assert_eq!((requests.errors, requests.bytes_in), (0, 20 * ROUNDS));
    assert_eq!(attempts.total, server.stats().requests as u64);
    assert_eq!((attempts.total, attempts.failed), (6 * ROUNDS, 2 * ROUNDS));
    assert_eq!((attempts.cancelled, attempts.in_flight), (ROUNDS, 0));
    assert_eq!(
        (metrics.retries.retried, metrics.retries.given_up),
        (ROUNDS, 0)
    );
    // Of the retried ones the answer before was read to its end.
    assert_eq!(attempts.bodies.complete, 5 * ROUNDS);
    assert_eq!(requests.bodies.complete, 4 * ROUNDS);
    // A request is as long as its attempts and the waits between.
    assert!(requests.latency.total >= secs(ROUNDS));
    assert!(attempts.latency.total < secs(1));
    let opened = server.stats().connections as u64;
    assert_eq!(metrics.connections.opened, opened);
    assert_eq!(
        metrics.connections.reused,
        attempts.responses - fresh(opened, ROUNDS)
    );
    assert_eq!(
        metrics.connections.idle + metrics.connections.closed,
        opened
    );
}

/// Answers on a connection that had not been used: those of all connections but the ones that a held
/// request was the first on, which there is none of.
fn fresh(opened: u64, rounds: u64) -> u64 {
    assert_eq!(opened, rounds);
    opened
}

#[tokio::test(start_paused = true)]
async fn errors_are_counted_by_kind_and_refusals_as_such() {
    let network = Network::new();
    let pool = on(&network).build().unwrap();
    for _ in 0..3 {
        pool.get(URL).send().await.unwrap_err();
    }
    let metrics = pool.metrics();
    assert_adds_up(&metrics.requests);
    let by_kind: Vec<_> = metrics
        .requests
        .errors_by_kind
        .clone()
        .into_iter()
        .collect();
    assert_eq!(by_kind, [("circuit_open", 2), ("connect", 1)]);
    assert_eq!((metrics.requests.errors, metrics.requests.rejected), (3, 2));
    // What the circuit refused was no attempt.
    assert_eq!((metrics.attempts.total, metrics.attempts.errors), (5, 5));
    assert_eq!((metrics.breaker.opened, metrics.breaker.not_closed), (1, 1));
    assert_eq!(metrics.connections.dial_failures, 5);
    assert_eq!((metrics.retries.retried, metrics.retries.given_up), (4, 1));
    // What never came to a host is counted too.
    let wrong = pool.get("http://a.test:0x/").send().await.unwrap_err();
    assert_eq!(wrong.kind(), standpipe::ErrorKind::InvalidRequest);
    let requests = pool.metrics().figures.requests;
    assert_eq!((requests.total, requests.rejected), (4, 3));
}

#[tokio::test(start_paused = true)]
async fn the_figures_of_a_host_are_those_of_all_its_ports_and_schemes() {
    let network = Network::new();
    let gate = Gate::new();
    let _servers =
        ["a.test:80", "a.test:8080", "b.test:80"].map(|address| server(&network, address, &gate));
    let pool = pool(&network);
    for url in [
        URL,
        "http://A.test:8080/",
        "http://b.test/",
        "http://a.test.:80/",
    ] {
        pool.get(url).send().await.unwrap().bytes().await.unwrap();
    }
    settle().await;
    let of = |host: &str| {
        pool.host_metrics(host)
            .map(|metrics| metrics.requests.total)
    };
    assert_eq!(of("a.test"), Some(3));
    assert_eq!(of("A.TEST"), Some(3));
    assert_eq!(of("http://a.test:8080"), Some(1));
    assert_eq!((of("b.test"), of("c.test")), (Some(1), None));
    let a = pool.host_metrics("a.test").unwrap();
    assert_eq!((a.connections.idle, a.connections.opened), (2, 2));
    assert_eq!(pool.metrics().hosts, 3);
}

#[tokio::test(start_paused = true)]
async fn bodies_that_break_off_or_are_dropped_are_counted_as_such() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let pool = pool(&network);
    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello";
    for drops in [false, true] {
        let sent = tokio::spawn(pool.get(URL).send());
        let mut peer = crate::support::peer(&listener).await;
        peer.read_head().await.unwrap();
        peer.write(HEAD).await.unwrap();
        let response = sent.await.unwrap().unwrap();
        assert_eq!(pool.metrics().requests.bodies.open, 1);
        assert_eq!(pool.metrics().connections.active, 1);
        if drops {
            drop(response);
        } else {
            peer.close().await.unwrap();
            assert!(response.bytes().await.unwrap_err().is_body());
        }
    }
    let PoolMetrics { figures, .. } = pool.metrics();
    for of in [&figures.requests, &figures.attempts] {
        assert_adds_up(of);
        let bodies = (of.bodies.complete, of.bodies.failed, of.bodies.abandoned);
        assert_eq!((bodies, of.successful), ((0, 1, 1), 2));
    }
}

/// On several threads, with cancellations at any time, every snapshot adds up, and at the end all is
/// accounted for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_snapshot_adds_up_while_four_threads_count() {
    let network = Network::new();
    let gate = Gate::new();
    let server = server(&network, "a.test:80", &gate);
    let pool = pool(&network);
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..8 {
        let pool = pool.clone();
        senders.spawn(async move {
            for turn in 0..250 {
                let sent = tokio::spawn(pool.get(format!("{URL}missing")).send());
                if (turn + n) % 3 == 0 {
                    tokio::task::yield_now().await;
                    sent.abort();
                }
                if let Ok(answer) = sent.await {
                    answer.unwrap().bytes().await.unwrap();
                }
            }
        });
    }
    while !senders.is_empty() {
        let metrics = pool.metrics();
        assert_adds_up(&metrics.requests);
        assert_adds_up(&metrics.attempts);
        tokio::task::yield_now().await;
        while senders.try_join_next().map(Result::unwrap).is_some() {}
    }
    let metrics = pool.metrics();
    assert_eq!(metrics.requests.in_flight + metrics.attempts.in_flight, 0);
    // A task that was aborted before its first poll sent nothing.
    assert!(metrics.requests.total <= 2000);
    let (answered, sent) = (metrics.attempts.responses, metrics.attempts.total);
    let seen = server.stats().requests as u64;
    assert!(
        (answered..=sent).contains(&seen),
        "{answered} {seen} {sent}"
    );
}
