//! Many tasks on few connections, over real sockets.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use standpipe_test::Server;
use standpipe_test::memory::Network;
use standpipe_transport::{Transport, TransportBuilder};
use tokio::task::JoinSet;

use crate::support::{echoing, fetch, get, stats};

const TASKS: usize = 64;
const REQUESTS: usize = 20_000;

/// Sends all requests from all tasks, to each of `servers` in turn.
async fn load(transport: &Transport, servers: &[Server]) {
    let urls: Arc<Vec<String>> = Arc::new(servers.iter().map(|s| s.url("/load")).collect());
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (transport, urls, next) = (transport.clone(), Arc::clone(&urls), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= REQUESTS {
                    return;
                }
                let body = fetch(&transport, get(&urls[n % urls.len()])).await;
                assert_eq!(body.unwrap(), "/load");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

fn at_most(limit: usize) -> TransportBuilder {
    Transport::builder()
        .max_connections_per_host(limit)
        .max_idle_per_host(limit)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_never_sees_more_connections_than_it_may_and_nearly_all_requests_reuse_one() {
    let servers = [echoing().start().await];
    let transport = at_most(8).build().unwrap();
    load(&transport, &servers).await;
    let seen = servers[0].stats();
    assert_eq!(seen.requests, REQUESTS);
    assert!(seen.peak_open <= 8, "{} connections", seen.peak_open);
    let share = stats(&transport).reuse_share();
    assert!(share > 0.99, "{share}");
}

/// What each server sees; the limit over all of them is seen in memory, below.
#[tokio::test(flavor = "multi_thread")]
async fn three_hosts_share_the_limit_in_all_and_nearly_all_requests_reuse_a_connection() {
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(echoing().start().await);
    }
    let transport = at_most(8).max_connections(Some(12)).build().unwrap();
    load(&transport, &servers).await;
    let seen: Vec<_> = servers.iter().map(Server::stats).collect();
    assert_eq!(seen.iter().map(|s| s.requests).sum::<usize>(), REQUESTS);
    assert!(seen.iter().all(|s| s.peak_open <= 8), "{seen:?}");
    let share = stats(&transport).reuse_share();
    assert!(share > 0.99, "{share}");
}

/// A closed socket is still open to its server for a while; in memory it is not.
#[tokio::test(flavor = "multi_thread")]
async fn three_hosts_never_see_more_connections_together_than_there_may_be_in_all() {
    let network = Network::new();
    let servers = ["a.test:80", "b.test:80", "c.test:80"];
    let servers = servers.map(|at| echoing().start_on(network.listen(at)));
    let transport = at_most(8).max_connections(Some(8));
    let transport = transport.connector(network.connector()).build().unwrap();
    load(&transport, &servers).await;
    let requests: usize = servers.iter().map(|s| s.stats().requests).sum();
    assert_eq!(requests, REQUESTS);
    let peak = network.peak_connections();
    assert!(peak <= 8, "{peak} connections");
    // The share depends on how the threads are scheduled here; what is promised is held to above.
    let share = stats(&transport).reuse_share();
    assert!(share > 0.95, "{share}");
}
