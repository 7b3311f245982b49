//! A server that is restarted again and again under load.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Full};
use standpipe::{Body, CircuitBreakerConfig, Error, ErrorKind, Pool, Protocol, RequestSent};
use standpipe_test::Server;
use standpipe_test::memory::Network;
use support::on;
use tokio::task::JoinSet;

const TASKS: usize = 32;
const REQUESTS: usize = 2_000;
/// After so many answers the server ends its connections.
const ANSWERS: usize = 50;

/// Answers with the body it was sent, after letting others run.
fn mirror() -> standpipe_test::ServerBuilder {
    Server::builder().handler(|request| async {
        // One that a GOAWAY met while its body was on its way is sent anew elsewhere.
        let Ok(body) = request.into_body().collect().await else {
            return http::Response::default();
        };
        let body = body.to_bytes();
        for _ in 0..body.len() % 5 {
            tokio::task::yield_now().await;
        }
        http::Response::new(Full::from(body))
    })
}

fn pool_on(network: &Network, protocol: Protocol) -> Pool {
    on(network)
        .protocol(protocol)
        .max_connections_per_host(8)
        .max_idle_per_host(8)
        .initial_retry_delay(Duration::from_millis(1))
        // A server that ends what it has just accepted, unused, looks for a moment like one that is down.
        .circuit_breaker(CircuitBreakerConfig::new().threshold(16))
        .build()
        .unwrap()
}

/// Sends `REQUESTS` requests of `method` while the server is restarted; gives the errors of those that
/// were not answered.
async fn send_many(pool: &Pool, server: &Arc<Server>, method: Method) -> Vec<Error> {
    let (next, answered) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (next, answered) = (Arc::clone(&next), Arc::clone(&answered));
        let (pool, server, method) = (pool.clone(), Arc::clone(server), method.clone());
        tasks.spawn(async move {
            let mut lost = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= REQUESTS {
                    return lost;
                }
                let text = "x".repeat(n % 50);
                match one(&pool, method.clone(), Bytes::from(text.clone())).await {
                    Ok(echo) => assert_eq!(echo, text),
                    Err(error) => lost.push(error),
                }
                if answered.fetch_add(1, Ordering::Relaxed) % ANSWERS == 0 {
                    server.drain();
                }
            }
        });
    }
    let mut lost = Vec::new();
    while let Some(task) = tasks.join_next().await {
        lost.extend(task.unwrap());
    }
    lost
}

async fn one(pool: &Pool, method: Method, body: Bytes) -> Result<String, Error> {
    let request = pool.request(method, support::URL).body(Body::from(body));
    request.send().await?.text().await
}

/// DRN-05
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rolling_restart_loses_no_request_that_may_be_sent_again() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let network = Network::new();
        let listener = network.listen("a.test:80");
        let server = match protocol {
            Protocol::Http2 => mirror().http2().start_on(listener),
            _ => mirror().http1().start_on(listener),
        };
        let server = Arc::new(server);
        let pool = pool_on(&network, protocol);
        let lost = send_many(&pool, &server, Method::PUT).await;
        assert!(
            lost.is_empty(),
            "{protocol:?}: {} of {REQUESTS}: {:?}",
            lost.len(),
            lost[0]
        );
        // Restarts have ended some. How many depends on the threads: one that finds no connection open, or those
        // of the one before, ends none.
        let seen = server.stats();
        assert!(seen.connections > seen.peak_open, "{seen:?}");
        support::at_rest(&pool).await;
    }
}

/// DRN-05: one that must not be sent twice is told from one that was not sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rolling_restart_loses_only_what_may_have_been_processed() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let network = Network::new();
        let listener = network.listen("a.test:80");
        let server = match protocol {
            Protocol::Http2 => mirror().http2().start_on(listener),
            _ => mirror().http1().start_on(listener),
        };
        let server = Arc::new(server);
        let pool = pool_on(&network, protocol);
        let lost = send_many(&pool, &server, Method::POST).await;
        for error in &lost {
            assert_eq!(
                error.request_sent(),
                RequestSent::Maybe,
                "{protocol:?}: {error:?}"
            );
            assert_eq!(error.kind(), ErrorKind::ConnectionClosed, "{error:?}");
        }
        // What may be lost are those under way on a connection that closes, which idled for the server.
        assert!(lost.len() < REQUESTS / 4, "{} of {REQUESTS}", lost.len());
    }
}
