//! Each reason for which a connection is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use http::Request;
use standpipe_core::{Body, Origin};
use standpipe_test::Peer;
use standpipe_test::memory::{Listener, MemoryStream, Network};
use standpipe_transport::{CloseReason, Name, PoolLimits, Transport, TransportBuilder};

use crate::recorder::{Recorder, assert_balanced, assert_closed};
use crate::support::{
    A, B, Sent, accept, answer_to, echoing, failure_of, fetch, get, over, pass, path, secs, send,
    settle, until,
};

/// A transport with a hook, to a server that echoes on `a.test` and on `b.test`.
fn told(
    configure: impl FnOnce(TransportBuilder) -> TransportBuilder,
) -> (Transport, Recorder, impl Drop) {
    let network = Network::new();
    let servers = ["a.test:80", "b.test:80"].map(|host| echoing().start_on(network.listen(host)));
    let log = Recorder::default();
    let builder = configure(over(&network)).events(log.clone());
    let guard = Guard(servers);
    (builder.build().unwrap(), log, guard)
}

struct Guard<T>(#[allow(dead_code, reason = "kept alive")] T);

impl<T> Drop for Guard<T> {
    fn drop(&mut self) {}
}

/// As `told`, with one request under way on the connection that the test serves.
async fn busy(
    configure: impl FnOnce(TransportBuilder) -> TransportBuilder,
    request: Request<Body>,
) -> (Transport, Recorder, Listener, Sent, Peer<MemoryStream>) {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let log = Recorder::default();
    let transport = configure(over(&network))
        .events(log.clone())
        .build()
        .unwrap();
    let sent = send(&transport, request);
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    (transport, log, listener, sent, peer)
}

/// IDLE-01
#[tokio::test(start_paused = true)]
async fn one_that_idled_too_long_says_so() {
    let (transport, log, _servers) = told(|builder| builder.idle_timeout(Some(secs(10))));
    fetch(&transport, get(A)).await.unwrap();
    pass(secs(11)).await;
    assert_closed(&transport, &[(CloseReason::IdleTimeout, 1)]);
    assert_eq!(log.take_closed(), [(CloseReason::IdleTimeout, 1)]);
}

/// IDLE-03: for one origin, and in all.
#[tokio::test(start_paused = true)]
async fn one_above_the_limit_on_idle_ones_says_so() {
    let (transport, log, _servers) = told(|builder| builder.max_idle_per_host(0));
    fetch(&transport, get(A)).await.unwrap();
    settle().await;
    assert_closed(&transport, &[(CloseReason::IdleLimit, 1)]);
    assert_eq!(log.take_closed(), [(CloseReason::IdleLimit, 1)]);
    let (transport, log, _servers) = told(|builder| builder.max_idle(1));
    fetch(&transport, get(A)).await.unwrap();
    fetch(&transport, get(B)).await.unwrap();
    settle().await;
    assert_closed(&transport, &[(CloseReason::IdleLimit, 1)]);
    assert_eq!(log.take_closed(), [(CloseReason::IdleLimit, 1)]);
}

/// IDLE-09
#[tokio::test(start_paused = true)]
async fn one_that_lived_too_long_says_so() {
    let lives = |builder: TransportBuilder| builder.max_lifetime(Some(secs(10)));
    let (transport, log, _servers) = told(|builder| lives(builder).idle_timeout(None));
    fetch(&transport, get(A)).await.unwrap();
    pass(secs(12)).await;
    assert_closed(&transport, &[(CloseReason::Lifetime, 1)]);
    assert_eq!(log.take_closed(), [(CloseReason::Lifetime, 1)]);
    // In use, when its time comes.
    let (transport, log, _listener, sent, mut peer) = busy(lives, get(A)).await;
    pass(secs(12)).await;
    assert_eq!(log.take_closed(), []);
    peer.respond("200 OK", "").await.unwrap();
    answer_to(sent).await.unwrap();
    settle().await;
    assert_closed(&transport, &[(CloseReason::Lifetime, 1)]);
}

/// IDLE-09
#[tokio::test(start_paused = true)]
async fn one_that_is_used_up_says_so() {
    let (transport, log, _servers) = told(|builder| builder.max_requests_per_connection(Some(2)));
    fetch(&transport, get(A)).await.unwrap();
    fetch(&transport, get(A)).await.unwrap();
    settle().await;
    assert_closed(&transport, &[(CloseReason::MaxRequests, 1)]);
    assert_eq!(log.take_closed(), [(CloseReason::MaxRequests, 2)]);
}

/// LIM-10
#[tokio::test(start_paused = true)]
async fn one_whose_place_went_to_another_origin_says_so() {
    let (transport, log, _servers) = told(|builder| builder.max_connections(Some(1)));
    fetch(&transport, get(A)).await.unwrap();
    fetch(&transport, get(B)).await.unwrap();
    settle().await;
    assert_closed(&transport, &[(CloseReason::Yielded, 1)]);
    assert_eq!(log.take_closed(), [(CloseReason::Yielded, 1)]);
}

/// LIM-14
#[tokio::test(start_paused = true)]
async fn one_above_a_lowered_limit_says_so() {
    let (transport, log, _servers) = told(|builder| builder);
    transport.warm(&Origin::parse(A).unwrap(), 3).await.unwrap();
    let mut limits = PoolLimits::default();
    (limits.max_connections_per_host, limits.max_idle_per_host) = (1, 1);
    transport.set_limits(&limits).unwrap();
    settle().await;
    assert_closed(&transport, &[(CloseReason::LimitLowered, 2)]);
    assert_eq!(log.take_closed(), [(CloseReason::LimitLowered, 0); 2]);
}

/// A request that is dropped in the middle.
#[tokio::test(start_paused = true)]
async fn one_whose_request_was_dropped_says_so() {
    let (transport, log, _listener, sent, _peer) = busy(|builder| builder, get(A)).await;
    sent.abort();
    settle().await;
    assert_closed(&transport, &[(CloseReason::Cancelled, 1)]);
    assert_eq!(log.take_closed(), [(CloseReason::Cancelled, 1)]);
}

/// By the server's word, and by an end of the stream.
#[tokio::test(start_paused = true)]
async fn one_that_the_peer_closed_says_so() {
    let (transport, log, _listener, sent, mut peer) = busy(|builder| builder, get(A)).await;
    let last = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    peer.write(last).await.unwrap();
    answer_to(sent).await.unwrap();
    settle().await;
    assert_closed(&transport, &[(CloseReason::Peer, 1)]);
    assert_eq!(log.take_closed(), [(CloseReason::Peer, 1)]);
    let (transport, log, _listener, sent, mut peer) = busy(|builder| builder, get(A)).await;
    peer.respond("200 OK", "").await.unwrap();
    answer_to(sent).await.unwrap();
    peer.close().await.unwrap();
    settle().await;
    assert_closed(&transport, &[(CloseReason::Peer, 1)]);
    assert_eq!(log.take_closed(), [(CloseReason::Peer, 1)]);
}

/// The peer breaks the protocol of HTTP/1.1: hyper tells the request alone of it.
#[tokio::test(start_paused = true)]
async fn one_whose_peer_answered_nonsense_counts_as_closed_by_the_peer() {
    let (transport, log, _listener, sent, mut peer) = busy(|builder| builder, get(A)).await;
    peer.write("this is not HTTP\r\n\r\n").await.unwrap();
    failure_of(sent).await;
    settle().await;
    assert_closed(&transport, &[(CloseReason::Peer, 1)]);
    assert_eq!(log.take_closed(), [(CloseReason::Peer, 1)]);
}

/// Reading fails.
#[tokio::test(start_paused = true)]
async fn one_whose_io_failed_says_so() {
    let (transport, log, _listener, sent, peer) = busy(|builder| builder, post()).await;
    peer.reset();
    failure_of(sent).await;
    settle().await;
    assert_closed(&transport, &[(CloseReason::Error, 1)]);
    assert_eq!(log.take_closed(), [(CloseReason::Error, 1)]);
}

fn post() -> Request<Body> {
    crate::support::post(A, "body")
}

/// DRN-01: by a shutdown, and with the last handle.
#[tokio::test(start_paused = true)]
async fn one_of_a_transport_that_is_gone_says_so() {
    let (transport, log, _servers) = told(|builder| builder);
    fetch(&transport, get(A)).await.unwrap();
    assert!(transport.shutdown(Duration::ZERO).await.complete);
    assert_closed(&transport, &[(CloseReason::Shutdown, 1)]);
    assert_eq!(log.take_closed(), [(CloseReason::Shutdown, 1)]);
    let (transport, log, _servers) = told(|builder| builder);
    fetch(&transport, get(A)).await.unwrap();
    drop(transport);
    settle().await;
    assert_eq!(log.take_closed(), [(CloseReason::Shutdown, 1)]);
}

/// The name no longer resolves to the address: told when the next dial looks it up.
#[tokio::test]
async fn one_whose_address_no_longer_holds_says_so() {
    let first = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    let answers = [first.local_addr().unwrap(), second.local_addr().unwrap()];
    let asked = AtomicUsize::new(0);
    let asked = Arc::new(asked);
    let resolver = tower::service_fn(move |_: Name| {
        let answer = answers[asked.fetch_add(1, SeqCst).min(1)];
        async move { Ok::<_, std::io::Error>([answer].into_iter()) }
    });
    let log = Recorder::default();
    let transport = Transport::builder()
        .resolver(resolver)
        .no_proxy()
        .retire_on_dns_change(true)
        .events(log.clone())
        .build()
        .unwrap();
    let origin = Origin::parse(A).unwrap();
    assert_eq!(transport.warm(&origin, 1).await.unwrap(), 1);
    let _first = first.accept().await.unwrap();
    transport.warm(&origin, 2).await.unwrap();
    until(|| log.has_closed()).await;
    assert_closed(&transport, &[(CloseReason::Address, 1)]);
    assert_eq!(log.take_closed(), [(CloseReason::Address, 0)]);
}

/// LIM-16
#[tokio::test(start_paused = true)]
async fn one_that_was_upgraded_and_dropped_says_so() {
    let request = Request::get(A)
        .header("connection", "upgrade")
        .header("upgrade", "chat")
        .body(Body::empty())
        .unwrap();
    let (transport, log, _listener, sent, mut peer) = busy(|builder| builder, request).await;
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n";
    peer.write(switch).await.unwrap();
    let upgraded = hyper::upgrade::on(sent.await.unwrap().unwrap());
    let upgraded = upgraded.await.unwrap();
    settle().await;
    assert_balanced(&transport);
    assert_eq!(log.take_closed(), []);
    drop(upgraded);
    settle().await;
    assert_closed(&transport, &[(CloseReason::Upgraded, 1)]);
    assert_eq!(log.take_closed(), [(CloseReason::Upgraded, 1)]);
}

/// IDLE-13
#[test]
fn one_whose_runtime_has_ended_says_so() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let (first, second) = (runtime(), runtime());
    let (transport, log, servers) = first.block_on(async {
        let (transport, log, servers) = told(|builder| builder);
        fetch(&transport, get(A)).await.unwrap();
        (transport, log, servers)
    });
    drop(first);
    assert_eq!(log.take_closed(), [(CloseReason::Runtime, 1)]);
    assert_closed(&transport, &[(CloseReason::Runtime, 1)]);
    drop((second, servers));
}
