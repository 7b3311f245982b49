//! From the first connection to the last: drops, runtimes, figures.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use standpipe::{ConnectionStats, Error, ErrorKind, Origin, Pool, Protocol, RequestSent};
use standpipe_test::memory::Network;
use standpipe_test::{Gate, Server};
use support::{
    URL, echo_on, on, one_connection_on, peer, pool_and_listener, secs, settle, spawn_get,
};
use tokio::runtime::{Builder, Handle, Runtime};

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// DRN-04
#[tokio::test]
async fn dropping_the_last_clone_closes_the_connections_and_leaves_no_task() {
    let (network, listener, pool) = pool_and_listener(|builder| builder);
    assert_eq!(tasks(), 0);
    let mut peers = Vec::new();
    let both = [spawn_get(&pool, URL), spawn_get(&pool, URL)];
    for _ in &both {
        let mut peer = peer(&listener).await;
        peer.read_head().await.unwrap();
        peers.push(peer);
    }
    for peer in &mut peers {
        peer.respond("200 OK", "ok").await.unwrap();
    }
    for sent in both {
        sent.await.unwrap().unwrap();
    }
    assert_eq!(
        (network.open_connections(), pool.stats().total.idle),
        (2, 2)
    );
    let clone = pool.clone();
    drop(pool);
    settle().await;
    assert_eq!(network.open_connections(), 2);
    drop(clone);
    settle().await;
    assert_eq!((network.open_connections(), tasks()), (0, 0));
    for peer in &mut peers {
        peer.closed().await;
    }
}

/// DRN-04
#[tokio::test]
async fn dropping_the_pool_takes_its_dials_along() {
    let (network, _listener, pool) = pool_and_listener(|builder| builder);
    let hold = network.hold_dials();
    let sent = spawn_get(&pool, URL);
    hold.arrived(1).await;
    sent.abort();
    drop(pool);
    settle().await;
    assert_eq!((hold.waiting(), tasks()), (0, 0));
    drop(hold);
    settle().await;
    assert_eq!(network.open_connections(), 0);
}

/// DRN-04
#[tokio::test]
async fn a_response_that_is_read_outlives_the_pool_and_closes_its_connection_at_its_end() {
    let (network, listener, pool) = pool_and_listener(|builder| builder);
    let sending = tokio::spawn(pool.get(URL).send());
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc")
        .await
        .unwrap();
    let response = sending.await.unwrap().unwrap();
    drop(pool);
    settle().await;
    assert_eq!(network.open_connections(), 1);
    peer.write("def").await.unwrap();
    assert_eq!(response.text().await.unwrap(), "abcdef");
    settle().await;
    assert_eq!((network.open_connections(), tasks()), (0, 0));
}

/// DRN-04
#[tokio::test]
async fn a_request_under_way_outlives_the_pool() {
    let (network, listener, pool) =
        pool_and_listener(|b| b.max_connections_per_host(1).max_idle_per_host(1));
    let first = tokio::spawn(pool.execute(pool.get("http://a.test/1").build().unwrap()));
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    let waiting = tokio::spawn(pool.execute(pool.get("http://a.test/2").build().unwrap()));
    settle().await;
    drop(pool);
    settle().await;
    for sent in [first, waiting] {
        peer.respond("200 OK", "ok").await.unwrap();
        let body = sent.await.unwrap().unwrap().into_body();
        assert_eq!(body.collect().await.unwrap().to_bytes(), "ok");
        settle().await;
    }
    assert_eq!((network.open_connections(), tasks()), (0, 0));
}

/// DRN-04, TO-08
#[tokio::test]
async fn http2_leaves_no_task_either() {
    let network = Network::new();
    let servers = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = {
        let _there = servers.enter();
        Server::builder()
            .http2()
            .handler(support::echo)
            .start_on(network.listen("a.test:80"))
    };
    let pool = on(&network).protocol(Protocol::Http2).build().unwrap();
    let mut all: Vec<_> = (0..20).map(|_| spawn_get(&pool, URL)).collect();
    for sent in all.drain(..) {
        sent.await.unwrap().unwrap();
    }
    assert_eq!(network.dials(), 1);
    drop(pool);
    network.all_closed().await;
    settle().await;
    assert_eq!(tasks(), 0);
    server.until(|stats| stats.open == 0).await;
    drop(server);
    servers.shutdown_background();
}

/// A runtime of one thread for the pool's side, and the servers on one of their own.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Servers that outlive the runtimes of the clients.
struct Servers {
    runtime: Option<Runtime>,
    network: Network,
    _servers: Vec<Server>,
    gate: Gate,
}

impl Servers {
    fn new(protocol: Protocol) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let network = Network::new();
        let gate = Gate::new();
        let there = runtime.enter();
        let held = gate.clone();
        let builder = match protocol {
            Protocol::Http2 => Server::builder().http2(),
            _ => Server::builder().http1(),
        };
        let server = builder
            .handler(move |request| {
                let gate = held.clone();
                async move {
                    if request.uri().path() == "/held" {
                        gate.wait().await;
                    }
                    http::Response::new(Full::<Bytes>::from("ok"))
                }
            })
            .start_on(network.listen("a.test:80"));
        drop(there);
        Self {
            runtime: Some(runtime),
            network,
            _servers: vec![server],
            gate,
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A request that must end in a time far longer than it needs; on real time, since two runtimes are
/// at work.
async fn bounded(pool: &Pool, url: &str) -> Result<String, Error> {
    let request = async { pool.get(url).send().await?.text().await };
    let answer = tokio::time::timeout(secs(30), request).await;
    answer.expect("an answer, not a hang")
}

/// Behaviour of hyper #2312: a pool that hangs across runtimes.
#[test]
fn a_pool_goes_on_when_the_runtime_of_its_idle_connections_has_ended() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let servers = Servers::new(protocol);
        let builder = one_connection_on(&servers.network).protocol(protocol);
        let pool = builder.build().unwrap();
        for round in 1..=3 {
            let runtime = runtime();
            for _ in 0..3 {
                let answer = runtime.block_on(bounded(&pool, URL));
                assert_eq!(answer.unwrap(), "ok", "{protocol:?}, round {round}");
            }
            let stats = pool.stats().total;
            assert_eq!((stats.created, stats.idle), (round, 1), "{protocol:?}");
            drop(runtime);
            assert_eq!(servers.network.open_connections(), 0);
            let stats = pool.stats().total;
            assert_eq!((stats.active, stats.idle), (0, 0), "{protocol:?}");
        }
    }
}

/// CAN-19
#[test]
fn a_request_whose_connection_ran_on_a_runtime_that_ended_fails_and_does_not_hang() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let servers = Servers::new(protocol);
        let builder = one_connection_on(&servers.network).protocol(protocol);
        let pool = builder.without_retry().build().unwrap();
        let (first, second) = (runtime(), runtime());
        first.block_on(bounded(&pool, URL)).unwrap();
        // The connection is driven by the first runtime alone, which runs here and there.
        let error = second.block_on(async {
            let request = tokio::spawn({
                let pool = pool.clone();
                async move { bounded(&pool, "http://a.test/held").await }
            });
            let (done, ended) = tokio::sync::oneshot::channel();
            let gate = servers.gate.clone();
            let driving = std::thread::spawn(move || {
                first.block_on(gate.arrived(1));
                drop(first);
                let _ = done.send(());
            });
            ended.await.unwrap();
            driving.join().unwrap();
            request.await.unwrap().unwrap_err()
        });
        let kinds = [ErrorKind::ConnectionClosed, ErrorKind::Runtime];
        assert!(kinds.contains(&error.kind()), "{protocol:?}: {error:?}");
        assert_ne!(
            error.request_sent(),
            RequestSent::No,
            "{protocol:?}: {error:?}"
        );
        servers.gate.open();
        assert_eq!(second.block_on(bounded(&pool, URL)).unwrap(), "ok");
        let stats = pool.stats().total;
        assert_eq!(
            (stats.active, stats.idle, stats.waiting),
            (0, 1, 0),
            "{protocol:?}"
        );
    }
}

/// CAN-19
#[test]
fn a_request_whose_dial_ran_on_a_runtime_that_ended_gets_an_answer() {
    let servers = Servers::new(Protocol::Http1);
    let pool = one_connection_on(&servers.network).build().unwrap();
    let (first, second) = (runtime(), runtime());
    let hold = servers.network.hold_dials();
    let dialling = pool.clone();
    first.block_on(async {
        drop(tokio::spawn(async move { dialling.get(URL).send().await }));
        hold.arrived(1).await;
    });
    let waiting = pool.clone();
    let waiting = second.spawn(async move { bounded(&waiting, URL).await });
    second.block_on(settle());
    assert_eq!(pool.stats().total.waiting, 2);
    drop(first);
    drop(hold);
    match second.block_on(waiting).unwrap() {
        Ok(text) => assert_eq!(text, "ok"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Runtime, "{error:?}"),
    }
    assert_eq!(second.block_on(bounded(&pool, URL)).unwrap(), "ok");
    let stats = pool.stats().total;
    assert_eq!((stats.active, stats.idle, stats.waiting), (0, 1, 0));
    assert_eq!(stats.dialing, 0);
}

#[test]
fn a_pool_and_its_responses_may_be_dropped_after_their_runtime_and_outside_any() {
    let servers = Servers::new(Protocol::Http1);
    let pool = one_connection_on(&servers.network).build().unwrap();
    let runtime = runtime();
    let response = runtime.block_on(pool.get(URL).send()).unwrap();
    let sending = pool.get("http://a.test/held").send();
    drop(runtime);
    drop(sending);
    drop(response);
    drop(pool);
    assert_eq!(servers.network.open_connections(), 0);
}

#[test]
fn one_pool_serves_two_runtimes_at_the_same_time() {
    let servers = Servers::new(Protocol::Http1);
    let pool = on(&servers.network)
        .max_connections_per_host(2)
        .max_idle_per_host(2)
        .build()
        .unwrap();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let pool = pool.clone();
            std::thread::spawn(move || {
                let runtime = Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()
                    .unwrap();
                let all = (0..200).map(|_| {
                    let pool = pool.clone();
                    runtime.spawn(async move { bounded(&pool, URL).await })
                });
                let all: Vec<_> = all.collect();
                for sent in all {
                    assert_eq!(runtime.block_on(sent).unwrap().unwrap(), "ok");
                }
                runtime
            })
        })
        .collect();
    let runtimes: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    let stats = pool.stats().total;
    assert_eq!(stats.requests, 400);
    assert!(servers.network.peak_connections() <= 2);
    drop(runtimes);
}

#[tokio::test]
async fn the_figures_add_up() {
    let network = Network::new();
    let _a = echo_on(&network, "a.test:80");
    let _b = echo_on(&network, "b.test:80");
    let pool = on(&network).build().unwrap();
    assert_eq!(pool.stats().total, ConnectionStats::default());
    for (url, n) in [(URL, 3), ("http://b.test/", 2)] {
        for _ in 0..n {
            pool.get(url).send().await.unwrap().bytes().await.unwrap();
        }
    }
    let unheard = pool.get("http://nobody.test/").no_retry();
    let refused = unheard.send().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Connect);
    let stats = pool.stats();
    let by_name: Vec<_> = stats
        .origins
        .iter()
        .map(|of| {
            let c = of.connections;
            (
                of.origin.host(),
                c.requests,
                c.reused,
                c.created,
                c.dial_failures,
            )
        })
        .collect();
    let expected = [
        ("a.test", 3, 2, 1, 0),
        ("b.test", 2, 1, 1, 0),
        ("nobody.test", 0, 0, 0, 1),
    ];
    assert_eq!(by_name, expected);
    let mut sum = ConnectionStats::default();
    for of in &stats.origins {
        sum += of.connections;
    }
    assert_eq!(sum, stats.total);
    assert_eq!(
        (sum.idle, sum.active, sum.dialing, sum.waiting),
        (2, 0, 0, 0)
    );
    assert!((sum.reuse_share() - 0.6).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn the_figures_of_the_moment_follow_a_request_through_its_life() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let pool = one_connection_on(&network).build().unwrap();
    let moment = || {
        let s = pool.stats().total;
        (s.dialing, s.active, s.idle, s.waiting)
    };
    let hold = network.hold_dials();
    let first = spawn_get(&pool, URL);
    hold.arrived(1).await;
    assert_eq!(moment(), (1, 0, 0, 1));
    drop(hold);
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    assert_eq!(moment(), (0, 1, 0, 0));
    let second = spawn_get(&pool, URL);
    settle().await;
    assert_eq!(moment(), (0, 1, 0, 1));
    tokio::time::advance(secs(3)).await;
    peer.respond("200 OK", "1").await.unwrap();
    first.await.unwrap().unwrap();
    peer.read_head().await.unwrap();
    assert_eq!(moment(), (0, 1, 0, 0));
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n1")
        .await
        .unwrap();
    settle().await;
    // The body is still read.
    assert_eq!(moment(), (0, 1, 0, 0));
    peer.write("2").await.unwrap();
    assert_eq!(second.await.unwrap().unwrap(), "12");
    assert_eq!(moment(), (0, 0, 1, 0));
    let stats = pool.stats().total;
    assert_eq!((stats.created, stats.requests, stats.reused), (1, 2, 1));
    assert_eq!((stats.waited, stats.wait_time), (2, secs(3)));
}

#[tokio::test]
async fn close_idle_closes_what_idles_and_nothing_else() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let _b = echo_on(&network, "b.test:80");
    let _c = echo_on(&network, "c.test:80");
    let pool = on(&network).build().unwrap();
    let held = spawn_get(&pool, URL);
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    for url in ["http://b.test/", "http://c.test/"] {
        pool.get(url).send().await.unwrap().bytes().await.unwrap();
    }
    assert_eq!(
        (pool.stats().total.idle, network.open_connections()),
        (2, 3)
    );

    pool.close_idle_of(&Origin::parse("http://B.test:80").unwrap());
    pool.close_idle_of(&Origin::parse("https://c.test").unwrap());
    settle().await;
    assert_eq!(
        (pool.stats().total.idle, network.open_connections()),
        (1, 2)
    );
    pool.close_idle();
    settle().await;
    assert_eq!(
        (pool.stats().total.idle, network.open_connections()),
        (0, 1)
    );

    peer.respond("200 OK", "held").await.unwrap();
    assert_eq!(held.await.unwrap().unwrap(), "held");
    pool.get("http://b.test/")
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let stats = pool.stats().total;
    assert_eq!((stats.created, stats.idle), (4, 2));
}

/// RTR-08, RTR-09
#[tokio::test]
async fn hosts_beyond_the_bound_are_forgotten_and_those_in_use_go_on() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let servers: Vec<_> = (0..5)
        .map(|n| echo_on(&network, &format!("h{n}.test:80")))
        .collect();
    let host = standpipe::HostConfig::new().default_header("x-h", "1");
    let pool = on(&network)
        .max_hosts(1)
        .host("h0.test", host)
        .build()
        .unwrap();
    let held = spawn_get(&pool, URL);
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    for round in 0..2 {
        for n in 0..5 {
            let url = format!("http://h{n}.test/");
            let text = pool.get(url).send().await.unwrap().text().await.unwrap();
            assert_eq!(text.contains("x-h: 1"), n == 0, "round {round}: {text}");
        }
    }
    // Connections belong to the transport: a host's stack made anew finds them.
    assert!(servers.iter().all(|server| server.stats().connections == 1));
    peer.respond("200 OK", "held").await.unwrap();
    assert_eq!(held.await.unwrap().unwrap(), "held");
}

/// SSE-10, CAN-09
#[tokio::test]
async fn a_response_dropped_unread_closes_its_connection_unless_the_rest_is_here() {
    let (network, listener, pool) = pool_and_listener(|builder| builder);
    let sending = tokio::spawn(pool.get(URL).send());
    let mut first = peer(&listener).await;
    first.read_head().await.unwrap();
    first.respond("200 OK", "here").await.unwrap();
    drop(sending.await.unwrap().unwrap());
    assert_eq!(pool.stats().total.idle, 1);

    let sending = tokio::spawn(pool.get(URL).send());
    first.read_head().await.unwrap();
    first
        .write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n1")
        .await
        .unwrap();
    drop(sending.await.unwrap().unwrap());
    first.closed().await;
    settle().await;
    assert_eq!(network.open_connections(), 0);
    assert_eq!(pool.stats().total.active, 0);
}

/// PAN-02
#[tokio::test]
async fn the_last_clone_may_be_dropped_by_the_reader_of_a_body() {
    let (network, listener, pool) = pool_and_listener(|builder| builder);
    let pool = Arc::new(pool);
    let sending = tokio::spawn(pool.get(URL).send());
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
        .await
        .unwrap();
    let body = sending.await.unwrap().unwrap().into_body();
    let mut owner = Some(pool);
    let body = body.map_frame(move |frame| {
        drop(owner.take());
        frame
    });
    peer.write("ok").await.unwrap();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "ok");
    tokio::time::timeout(Duration::from_secs(30), network.all_closed())
        .await
        .unwrap();
}
