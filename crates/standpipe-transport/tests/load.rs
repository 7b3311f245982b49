//! Many tasks on few connections.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use standpipe_test::Server;
use standpipe_test::memory::Network;
use standpipe_transport::{Transport, TransportBuilder};
use tokio::task::JoinSet;

use crate::support::{at_rest, echoing, fetch, get, stats};

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

/// On one thread, so that the machine has no say in who comes first.
#[tokio::test]
async fn three_hosts_share_the_limit_in_all_and_nearly_all_requests_reuse_a_connection() {
    let (network, servers) = three_hosts();
    let transport = at_most(8).max_connections(Some(12));
    let transport = transport.connector(network.connector()).build().unwrap();
    load(&transport, &servers).await;
    assert_eq!(requests(&servers), REQUESTS);
    let peak = network.peak_connections();
    assert!(peak <= 12, "{peak} connections");
    let share = stats(&transport).reuse_share();
    assert!(share > 0.99, "{share}");
}

/// Over sockets a server sees a connection for a while after it was closed for another host, so what is open is
/// read from the transport; what there is at a time is seen in memory, above and below.
#[tokio::test(flavor = "multi_thread")]
async fn three_hosts_share_the_limit_in_all_on_many_threads_and_over_sockets() {
    let servers = [
        echoing().start().await,
        echoing().start().await,
        echoing().start().await,
    ];
    let transport = at_most(8).max_connections(Some(12)).build().unwrap();
    load(&transport, &servers).await;
    assert_eq!(requests(&servers), REQUESTS);
    let seen = at_rest(&transport).await;
    assert!((1..=12).contains(&seen.idle), "{seen:?}");
    for host in transport.stats().origins {
        assert!(host.connections.idle <= 8, "{host:?}");
    }
    // The share depends on how the threads are scheduled here; 99 % is held above, on one.
    let share = seen.reuse_share();
    assert!(share > 0.95, "{share}");
}

/// A closed socket is still open to its server for a while; in memory it is not.
#[tokio::test(flavor = "multi_thread")]
async fn three_hosts_never_see_more_connections_together_than_there_may_be_in_all() {
    let (network, servers) = three_hosts();
    let transport = at_most(8).max_connections(Some(8));
    let transport = transport.connector(network.connector()).build().unwrap();
    load(&transport, &servers).await;
    assert_eq!(requests(&servers), REQUESTS);
    let peak = network.peak_connections();
    assert!(peak <= 8, "{peak} connections");
    // As above.
    let share = stats(&transport).reuse_share();
    assert!(share > 0.95, "{share}");
}

fn three_hosts() -> (Network, [Server; 3]) {
    let network = Network::new();
    let servers = ["a.test:80", "b.test:80", "c.test:80"];
    let servers = servers.map(|at| echoing().start_on(network.listen(at)));
    (network, servers)
}

fn requests(servers: &[Server]) -> usize {
    servers.iter().map(|server| server.stats().requests).sum()
}
