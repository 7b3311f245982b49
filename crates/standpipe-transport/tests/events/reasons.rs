//! Each connection is closed for one reason, and that is the right one.

use std::time::Duration;

use http_body_util::BodyExt;
use standpipe_core::Origin;
use standpipe_test::memory::Network;
use standpipe_transport::CloseReason;

use crate::recorder::assert_closed;
use crate::support::{
    A, B, accept, answer_to, echo, echoing, echoing_by, failure_of, fetch, get, over, over_http2,
    pass, path, secs, send, settle, stats,
};

fn a() -> Origin {
    Origin::parse(A).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_idle_timeout_and_the_lifetime_are_told_apart() {
    for http2 in [false, true] {
        for (lifetime, reason) in [
            (None, CloseReason::IdleTimeout),
            (Some(secs(5)), CloseReason::Lifetime),
        ] {
            let network = Network::new();
            let (server, transport) = echoing_by(http2, &network);
            let _server = server.start_on(network.listen("a.test:80"));
            let transport = transport.idle_timeout(Some(secs(10)));
            let transport = transport.max_lifetime(lifetime).build().unwrap();
            fetch(&transport, get(A)).await.unwrap();
            pass(secs(10)).await;
            assert_closed(&transport, &[(reason, 1)]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_number_of_requests_and_the_idle_limits() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .max_idle_per_host(1)
        .max_requests_per_connection(Some(2));
    let transport = transport.build().unwrap();
    let both = [send(&transport, get(A)), send(&transport, get(A))];
    let (mut one, mut two) = (accept(&listener).await, accept(&listener).await);
    echo(&mut one).await;
    echo(&mut two).await;
    for sent in both {
        answer_to(sent).await.unwrap();
    }
    settle().await;
    assert_closed(&transport, &[(CloseReason::IdleLimit, 1)]);
    let again = send(&transport, get(A));
    echo(&mut one).await;
    answer_to(again).await.unwrap();
    settle().await;
    let reasons = [(CloseReason::IdleLimit, 1), (CloseReason::MaxRequests, 1)];
    assert_closed(&transport, &reasons);
}

#[tokio::test(start_paused = true)]
async fn an_end_from_the_peer_and_an_error_are_told_apart() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    echo(&mut peer).await;
    answer_to(sent).await.unwrap();
    peer.close().await.unwrap();
    settle().await;
    assert_closed(&transport, &[(CloseReason::Peer, 1)]);
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    peer.reset();
    failure_of(sent).await;
    settle().await;
    let reasons = [(CloseReason::Peer, 1), (CloseReason::Error, 1)];
    assert_closed(&transport, &reasons);
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    peer.write(answer).await.unwrap();
    answer_to(sent).await.unwrap();
    settle().await;
    let reasons = [(CloseReason::Peer, 2), (CloseReason::Error, 1)];
    assert_closed(&transport, &reasons);
}

#[tokio::test(start_paused = true)]
async fn a_request_and_a_body_that_are_dropped_or_time_out() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).response_head_timeout(Some(secs(5)));
    let transport = transport.build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    sent.abort();
    settle().await;
    assert_closed(&transport, &[(CloseReason::Cancelled, 1)]);
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc";
    peer.write(head).await.unwrap();
    drop(sent.await.unwrap().unwrap());
    settle().await;
    assert_closed(&transport, &[(CloseReason::Cancelled, 2)]);
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    failure_of(sent).await;
    settle().await;
    assert_closed(&transport, &[(CloseReason::Cancelled, 3)]);
}

/// What is evicted closes when it is free, and serves nobody from then on.
#[tokio::test(start_paused = true)]
async fn an_evicted_connection_ends_its_request_and_serves_no_other() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let _b = echoing().start_on(network.listen("b.test:80"));
    let transport = over(&network).build().unwrap();
    let (busy, idle) = (send(&transport, get(A)), send(&transport, get(A)));
    let (mut one, mut two) = (accept(&listener).await, accept(&listener).await);
    path(&mut one).await;
    echo(&mut two).await;
    settle().await;
    fetch(&transport, get(B)).await.unwrap();
    assert_eq!(transport.evict(&a()), 2);
    settle().await;
    assert_closed(&transport, &[(CloseReason::Evicted, 1)]);
    assert_eq!(stats(&transport).idle, 1, "the other origin's");
    let next = send(&transport, get(A));
    let mut three = accept(&listener).await;
    echo(&mut three).await;
    answer_to(next).await.unwrap();
    one.respond("200 OK", "late").await.unwrap();
    one.closed().await;
    for sent in [busy, idle] {
        answer_to(sent).await.unwrap();
    }
    settle().await;
    assert_closed(&transport, &[(CloseReason::Evicted, 2)]);
}

/// The same of streams: they go on, and no other begins.
#[tokio::test(start_paused = true)]
async fn an_evicted_http2_connection_ends_its_streams_and_serves_no_other() {
    let network = Network::new();
    let gate = standpipe_test::Gate::new();
    let held = gate.clone();
    let server = standpipe_test::Server::builder().http2();
    let server = server.handler(move |request| {
        let held = held.clone();
        async move {
            if request.uri().path() == "/held" {
                held.wait().await;
            }
            http::Response::new(http_body_util::Full::<bytes::Bytes>::from("ok"))
        }
    });
    let _server = server.start_on(network.listen("a.test:80"));
    let transport = over_http2(&network).build().unwrap();
    let sent = send(&transport, get("http://a.test/held"));
    gate.arrived(1).await;
    assert_eq!(transport.evict(&a()), 1);
    fetch(&transport, get(A)).await.unwrap();
    assert_eq!((network.dials(), network.open_connections()), (2, 2));
    gate.open();
    answer_to(sent).await.unwrap();
    settle().await;
    assert_eq!(network.open_connections(), 1);
    assert_closed(&transport, &[(CloseReason::Evicted, 1)]);
}

/// CAN-19
#[test]
fn a_connection_that_went_with_its_runtime() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let servers = runtime();
    let there = servers.enter();
    let _server = echoing().start_on(listener);
    drop(there);
    let driving = std::thread::spawn({
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let _ = servers.block_on(stopped);
        });
        let transport = transport.clone();
        move || {
            let clients = runtime();
            clients.block_on(async { fetch(&transport, get(A)).await.unwrap() });
            drop(clients);
            drop(stop);
            thread.join().unwrap();
        }
    });
    driving.join().unwrap();
    assert_closed(&transport, &[(CloseReason::Runtime, 1)]);
}

/// What `uses` and the age say, through a body that streams.
#[tokio::test(start_paused = true)]
async fn the_figures_hold_at_each_moment() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    assert_closed(&transport, &[]);
    path(&mut peer).await;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc";
    peer.write(head).await.unwrap();
    let response = sent.await.unwrap().unwrap();
    assert_closed(&transport, &[]);
    peer.write("def").await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_closed(&transport, &[]);
    pass(Duration::from_secs(90)).await;
    assert_closed(&transport, &[(CloseReason::IdleTimeout, 1)]);
}
