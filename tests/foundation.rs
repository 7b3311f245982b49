//! What the foundation promises, through `Pool`, over real sockets on loopback or, where time
//! matters, over the in-memory network.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use standpipe::{ErrorKind, Pool};
use standpipe_test::memory::Network;
use standpipe_test::{Gate, Server};
use tokio::task::JoinSet;

const REQUESTS: usize = 20_000;

async fn hello_server() -> Server {
    Server::builder()
        .http1()
        .handler(|_| async { Response::new(Full::from("hello")) })
        .start()
        .await
}

/// 64 tasks send `REQUESTS` in all, to the URLs in turn; every one succeeds.
async fn drive(pool: &Pool, urls: Vec<String>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (pool, urls, sent) = (pool.clone(), urls.clone(), Arc::clone(&sent));
        tasks.spawn(async move {
            loop {
                let n = sent.fetch_add(1, Ordering::Relaxed);
                if n >= REQUESTS {
                    break;
                }
                let response = pool.get(&urls[n % urls.len()]).send().await.unwrap();
                assert_eq!(response.bytes().await.unwrap(), "hello");
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_tasks_at_one_host_stay_within_eight_connections_and_reuse_them() {
    let server = hello_server().await;
    let pool = Pool::builder()
        .max_connections_per_host(8)
        .max_idle_per_host(8)
        .build()
        .unwrap();
    drive(&pool, vec![server.url("/")]).await;
    let (seen, stats) = (server.stats(), pool.stats().total);
    assert!(seen.peak_open <= 8, "{} connections", seen.peak_open);
    assert_eq!(seen.requests, REQUESTS);
    assert!(stats.reuse_share() > 0.99, "{stats:?}");
}

/// 64 tasks would take 24 connections; the limit in all leaves each host four. (Where the shares
/// cannot be even, as with eight for three hosts, some connections pass to and fro: 99.3 %.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hosts_share_a_total_limit_and_still_reuse_their_connections() {
    let servers = [
        hello_server().await,
        hello_server().await,
        hello_server().await,
    ];
    let pool = Pool::builder()
        .max_connections_per_host(8)
        .max_idle_per_host(8)
        .max_connections(Some(12))
        .build()
        .unwrap();
    drive(
        &pool,
        servers.iter().map(|server| server.url("/")).collect(),
    )
    .await;
    let stats = pool.stats().total;
    assert!(stats.dialing + stats.active + stats.idle <= 12, "{stats:?}");
    let requests: usize = servers.iter().map(|server| server.stats().requests).sum();
    assert_eq!(requests, REQUESTS);
    assert!(stats.reuse_share() > 0.99, "{stats:?}");
}

async fn until_waiting(pool: &Pool, waiting: usize) {
    while pool.stats().total.waiting < waiting {
        tokio::task::yield_now().await;
    }
}

/// The limit in all is used up by A, whose waiters came first; B's one request goes out
/// when the first connection of A comes back.
#[tokio::test(start_paused = true)]
async fn a_busy_origin_never_starves_another_of_the_total_limit() {
    let network = Network::new();
    let gates: Vec<Gate> = (0..4).map(|_| Gate::new()).collect();
    let served = Arc::new(AtomicUsize::new(0));
    let (at, count) = (gates.clone(), Arc::clone(&served));
    let _a = Server::builder()
        .http1()
        .handler(move |_| {
            let n = count.fetch_add(1, Ordering::SeqCst);
            let gate = at.get(n).cloned();
            async move {
                match gate {
                    Some(gate) => gate.wait().await,
                    // Whatever comes after the first turn never ends.
                    None => std::future::pending().await,
                }
                Response::new(Full::<Bytes>::from("a"))
            }
        })
        .start_on(network.listen("a.test:80"));
    let _b = Server::builder()
        .http1()
        .handler(|_| async { Response::new(Full::<Bytes>::from("b")) })
        .start_on(network.listen("b.test:80"));
    let pool = Pool::builder()
        .connector(network.connector())
        .max_connections(Some(4))
        .request_timeout(None)
        .response_header_timeout(None)
        .build()
        .unwrap();
    let mut busy = JoinSet::new();
    for _ in 0..40 {
        let pool = pool.clone();
        busy.spawn(async move { pool.get("http://a.test/").send().await.map(drop) });
    }
    for gate in &gates {
        gate.arrived(1).await;
    }
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move { pool.get("http://b.test/").send().await?.text().await }
    });
    until_waiting(&pool, 37).await;
    // One turn of A's connections, and B has been served.
    for gate in &gates {
        gate.open();
    }
    assert_eq!(waiting.await.unwrap().unwrap(), "b");
    assert!(served.load(Ordering::SeqCst) <= 8, "within one turn");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_too_long_fails_at_the_time_set_and_costs_nobody_a_place() {
    let network = Network::new();
    let gate = Gate::new();
    let held = gate.clone();
    let _server = Server::builder()
        .http1()
        .handler(move |request| {
            let held = held.clone();
            async move {
                if request.uri().path() == "/hold" {
                    held.wait().await;
                }
                Response::new(Full::<Bytes>::from(request.uri().path().to_owned()))
            }
        })
        .start_on(network.listen("a.test:80"));
    let pool = Pool::builder()
        .connector(network.connector())
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .acquire_timeout(Some(Duration::from_secs(5)))
        .build()
        .unwrap();
    let get = |path: &str| {
        let (pool, url) = (pool.clone(), format!("http://a.test{path}"));
        tokio::spawn(async move { pool.get(url).send().await?.text().await })
    };
    let first = get("/hold");
    gate.arrived(1).await;
    let early = get("/early");
    until_waiting(&pool, 1).await;
    tokio::time::advance(Duration::from_secs(3)).await;
    let late = get("/late");
    until_waiting(&pool, 2).await;
    let begun = tokio::time::Instant::now();
    let error = early.await.unwrap().unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::AcquireTimeout {
            waited: Duration::from_secs(5),
            in_use: 1,
            limit: 1
        }
    );
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
    gate.open();
    assert_eq!(late.await.unwrap().unwrap(), "/late");
    assert_eq!(first.await.unwrap().unwrap(), "/hold");
}

#[tokio::test]
async fn bad_input_is_a_typed_error_and_opens_no_connection() {
    let network = Network::new();
    let pool = Pool::builder()
        .connector(network.connector())
        .build()
        .unwrap();
    for (url, kind) in [
        ("http:///path", ErrorKind::InvalidRequest),
        ("http://user:secret@a.test/", ErrorKind::InvalidRequest),
        ("ftp://a.test/", ErrorKind::UnsupportedScheme),
        ("http://a.test:65536/", ErrorKind::InvalidRequest),
        ("http://a.test:0/", ErrorKind::InvalidRequest),
        ("no url", ErrorKind::InvalidRequest),
    ] {
        let error = pool.get(url).send().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{url}");
        assert!(!format!("{error:?}").contains("secret"));
    }
    let header = pool.get("http://a.test/").header("x-a", "one\ntwo");
    let error = header.send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(network.dials(), 0);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let server = hello_server().await;
    let pool = Pool::builder().max_response_bytes(4).build().unwrap();
    let response = pool.get(server.url("/")).send().await.unwrap();
    let error = response.bytes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge { limit: 4 });
    let response = pool.get(server.url("/")).send().await.unwrap();
    assert_eq!(response.max_bytes(5).text().await.unwrap(), "hello");
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    future.poll(&mut cx).is_ready()
}

/// 10,000 requests, each polled a random number of times and then dropped or awaited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_dropped_at_random_leak_no_connection_and_no_place_in_the_queue() {
    const TASKS: u64 = 40;
    let server = hello_server().await;
    let pool = Pool::builder()
        .max_connections_per_host(4)
        .max_idle_per_host(4)
        .build()
        .unwrap();
    let mut tasks = JoinSet::new();
    for seed in 0..TASKS {
        let (pool, url) = (pool.clone(), server.url("/"));
        tasks.spawn(async move {
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            for _ in 0..10_000 / TASKS {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let exchange = async { pool.get(&url).send().await?.bytes().await };
                let mut exchange = std::pin::pin!(exchange);
                for _ in 0..random % 6 {
                    if poll_once(exchange.as_mut()) {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    // What was dropped closes its connection in its own task: wait for that, not for a time.
    loop {
        let stats = pool.stats().total;
        if (stats.active, stats.waiting, stats.dialing) == (0, 0, 0) {
            break;
        }
        tokio::task::yield_now().await;
    }
    // All four places are free: as many requests are under way at once.
    drive(&pool, vec![server.url("/")]).await;
    let stats = pool.stats().total;
    assert_eq!((stats.active, stats.waiting, stats.dialing), (0, 0, 0));
    assert_eq!(stats.idle, 4, "{stats:?}");
}
