//! Settings of connections that the pool hands down to its transport, each by what comes of it.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use standpipe::{ErrorKind, MinThroughput, Pool};
use standpipe_test::Peer;
use standpipe_test::memory::Network;
use support::{URL, echo_on, on, pool_and_listener, secs, settle, spawn_get};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::Instant;

async fn get(pool: &Pool) {
    spawn_get(pool, URL).await.unwrap().unwrap();
    settle().await;
}

#[tokio::test]
async fn a_host_in_use_keeps_as_many_connections_as_are_set() {
    for (least, dials) in [(0, 1), (3, 3)] {
        let network = Network::new();
        let _server = echo_on(&network, "a.test:80");
        let pool = on(&network).min_idle(least).build().unwrap();
        get(&pool).await;
        assert_eq!(network.dials(), dials);
    }
}

#[tokio::test]
async fn a_connection_carries_as_many_requests_as_are_set() {
    for (most, dials) in [(None, 1), (Some(2), 2)] {
        let network = Network::new();
        let _server = echo_on(&network, "a.test:80");
        let pool = on(&network).max_requests_per_connection(most);
        let pool = pool.build().unwrap();
        for _ in 0..4 {
            get(&pool).await;
        }
        assert_eq!(network.dials(), dials);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_too_slowly_is_given_up() {
    let least = MinThroughput {
        bytes_per_second: 10,
        grace: secs(4),
    };
    let (_network, listener, pool) = pool_and_listener(|pool| pool.body_throughput(Some(least)));
    let sent = spawn_get(&pool, URL);
    let mut server = support::peer(&listener).await;
    server.read_head().await.unwrap();
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    server.write(head).await.unwrap();
    let begun = Instant::now();
    let dripping = tokio::spawn(async move {
        while server.write("x").await.is_ok() {
            tokio::time::sleep(secs(1)).await;
        }
    });
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyIdleTimeout);
    assert_eq!(begun.elapsed(), secs(4));
    dripping.await.unwrap();
}

#[tokio::test]
async fn connections_come_from_the_address_that_is_set() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let local = "127.0.0.7".parse().unwrap();
    let pool = Pool::builder().no_proxy().local_address(Some(local));
    let pool = pool.build().unwrap();
    let sent = spawn_get(&pool, &url);
    let (stream, from) = listener.accept().await.unwrap();
    assert_eq!(from.ip(), local);
    let mut server = Peer::new(stream);
    server.read_head().await.unwrap();
    server.respond("200 OK", "done").await.unwrap();
    assert_eq!(sent.await.unwrap().unwrap(), "done");
}

#[tokio::test]
async fn a_connection_whose_address_its_name_no_longer_has_is_retired_where_that_is_set() {
    for retires in [false, true] {
        let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let second = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let answers = [first.local_addr().unwrap(), second.local_addr().unwrap()];
        let asked = Arc::new(AtomicUsize::new(0));
        let resolver = tower::service_fn(move |_| {
            let answer = answers[asked.fetch_add(1, Ordering::SeqCst).min(1)];
            async move { Ok::<_, std::io::Error>([answer].into_iter()) }
        });
        let pool = Pool::builder()
            .no_proxy()
            .retire_on_dns_change(retires)
            .configure_transport(|transport| transport.resolver(resolver))
            .build()
            .unwrap();
        assert_eq!(pool.warm(URL, 1).await.unwrap(), 1);
        let (mut first, _) = first.accept().await.unwrap();
        pool.warm(URL, 2).await.unwrap();
        let _second = second.accept().await.unwrap();
        if retires {
            assert_eq!(first.read(&mut [0]).await.unwrap(), 0, "its end");
        }
        settle().await;
        let closed = pool.stats().total.closed;
        assert_eq!(closed.total(), u64::from(retires));
    }
}
