//! Against nginx and nghttpd.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Version;
use standpipe_test::Ca;
use standpipe_test::external::{Nghttpd, Nginx};
use standpipe_transport::{Protocol, Transport};
use tokio::task::JoinSet;

use crate::support::{at_rest, fetch, get, head_of, read, stats, trusting};

/// Sends `n` requests at once, all of which must succeed with `body`.
async fn burst(transport: &Transport, url: &str, n: usize, body: &'static str) {
    let mut all = JoinSet::new();
    for _ in 0..n {
        let (transport, url) = (transport.clone(), url.to_owned());
        all.spawn(async move {
            assert_eq!(fetch(&transport, get(&url)).await.unwrap(), body);
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs nginx and nghttpd"]
async fn nginx_serves_http2_over_tls_on_one_connection() {
    let ca = Ca::new();
    let leaf = ca.issue(&["127.0.0.1"]);
    let nginx = Nginx::builder()
        .tls(leaf.certificate_pem(), leaf.key_pem())
        .http2(true)
        .location("/", "return 200 'hello';")
        .start()
        .await
        .unwrap();
    let transport = Transport::builder().tls(trusting(&ca)).build().unwrap();
    let url = nginx.https_url("/");
    let response = head_of(&transport, get(&url)).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert_eq!(read(response).await.unwrap(), "hello");
    burst(&transport, &url, 99, "hello").await;
    let log = nginx.access_log_of(100).await.unwrap();
    assert_eq!(log.connections(), 1);
}

#[tokio::test]
#[ignore = "needs nginx and nghttpd"]
async fn nginx_serves_http1_over_tls_where_that_is_all_it_speaks() {
    let ca = Ca::new();
    let leaf = ca.issue(&["127.0.0.1"]);
    let nginx = Nginx::builder()
        .tls(leaf.certificate_pem(), leaf.key_pem())
        .location("/", "return 200 'hello';")
        .start()
        .await
        .unwrap();
    let transport = Transport::builder().tls(trusting(&ca));
    let transport = transport.max_connections_per_host(4).max_idle_per_host(4);
    let transport = transport.build().unwrap();
    burst(&transport, &nginx.https_url("/"), 50, "hello").await;
    let log = nginx.access_log_of(50).await.unwrap();
    assert!(log.connections() <= 4);
}

/// IDLE-04, STALE-01
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nginx and nghttpd"]
async fn nginx_closing_after_100_requests_costs_no_request() {
    let nginx = Nginx::builder()
        .keepalive_requests(100)
        .location("/", "return 200 'hello';")
        .start()
        .await
        .unwrap();
    let transport = Transport::builder().max_connections_per_host(4);
    let transport = transport.max_idle_per_host(4).build().unwrap();
    for _ in 0..20 {
        burst(&transport, &nginx.url("/"), 50, "hello").await;
    }
    let log = nginx.access_log_of(1_000).await.unwrap();
    assert_eq!(log.lines().len(), 1_000, "none was sent twice");
    let counts = log.requests_per_connection();
    assert!(counts.values().all(|&n| n <= 100), "{counts:?}");
    // Each connection that carried anything had one first request, which may have found it closed.
    let (stats, used) = (stats(&transport), log.connections() as u64);
    assert_eq!(stats.requests - stats.resent, 1_000);
    let firsts = stats.requests - stats.reused;
    assert!(
        used <= firsts && firsts <= used + stats.resent,
        "{used}: {stats:?}"
    );
    assert!(firsts <= stats.created, "{stats:?}");
}

/// IDLE-04, STALE-01: `STANDPIPE_NGINX_GETS=100000` is the long run of CONTRIBUTING.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nginx and nghttpd"]
async fn nginx_closing_after_100_requests_and_a_short_idle_time_costs_32_tasks_no_request() {
    let gets = std::env::var("STANDPIPE_NGINX_GETS");
    let gets = gets.map_or(10_000, |gets| gets.parse().unwrap());
    let nginx = Nginx::builder()
        .keepalive_requests(100)
        .keepalive_timeout(Duration::from_secs(1))
        .location("/", "return 200 'hello';")
        .start()
        .await
        .unwrap();
    let transport = Transport::builder().max_connections_per_host(16);
    let transport = transport.max_idle_per_host(16).build().unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..32 {
        let (transport, url) = (transport.clone(), nginx.url("/"));
        tasks.spawn(async move {
            for n in (task..gets).step_by(32) {
                let sent = fetch(&transport, get(&format!("{url}?{n}"))).await;
                assert_eq!(sent.unwrap(), "hello");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let log = nginx.access_log_of(gets).await.unwrap();
    assert_eq!(log.lines().len(), gets, "each was served once");
    let counts = log.requests_per_connection();
    assert!(counts.values().all(|&n| n <= 100));
    let stats = at_rest(&transport).await;
    assert_eq!(stats.requests - stats.resent, gets as u64);
}

/// H2-03
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nginx and nghttpd"]
async fn nginx_ending_http2_connections_by_goaway_costs_no_request_sent_one_by_one() {
    let ca = Ca::new();
    let leaf = ca.issue(&["127.0.0.1"]);
    let nginx = Nginx::builder()
        .tls(leaf.certificate_pem(), leaf.key_pem())
        .http2(true)
        .keepalive_requests(100)
        .location("/", "return 200 'hello';")
        .start()
        .await
        .unwrap();
    let transport = Transport::builder().tls(trusting(&ca)).build().unwrap();
    let url = nginx.https_url("/");
    for _ in 0..450 {
        assert_eq!(fetch(&transport, get(&url)).await.unwrap(), "hello");
    }
    let log = nginx.access_log_of(450).await.unwrap();
    assert!(log.connections() >= 4);
}

/// H2-11
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nginx and nghttpd"]
async fn nghttpd_with_ten_streams_a_connection_serves_200_requests_at_once() {
    let server = Nghttpd::builder()
        .max_concurrent_streams(10)
        .document("/hello.txt", "hello")
        .start()
        .await
        .unwrap();
    let transport = Transport::builder()
        .protocol(Protocol::Http2)
        .max_connections_per_host(4)
        .max_idle_per_host(4)
        .build()
        .unwrap();
    let (url, most) = (server.url("/hello.txt"), Arc::new(AtomicUsize::new(0)));
    let watching = {
        let (transport, most) = (transport.clone(), Arc::clone(&most));
        tokio::spawn(async move {
            loop {
                most.fetch_max(stats(&transport).streams, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        })
    };
    burst(&transport, &url, 200, "hello").await;
    watching.abort();
    let most = most.load(Ordering::Relaxed);
    assert!(most <= 40, "{most} streams at a time");
    let connections = server.connections().unwrap();
    assert!((1..=4).contains(&connections), "{connections}");
    at_rest(&transport).await;
    // The server's limit was kept: it refused nothing.
    let log = server.frame_log().unwrap();
    assert!(!log.contains("REFUSED_STREAM"));
}
