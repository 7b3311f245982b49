//! What is under way ends within the grace.

use std::time::Duration;

use http_body_util::BodyExt;
use standpipe_test::memory::Network;
use standpipe_transport::CloseReason;
use tokio::time::Instant;

use super::support::{
    A, B, accept, answer_to, echoing, echoing_by, failure_of, fetch, get, head_of, over,
    over_http2, pass, path, read, secs, send, settle, stats,
};
use super::{assert_nothing_left, assert_report, assert_shutdown, tasks};

/// DRN-01, DRN-04
#[tokio::test(start_paused = true)]
async fn a_transport_without_connections_is_shut_down_at_once() {
    let transport = over(&Network::new()).build().unwrap();
    let begun = Instant::now();
    assert_report(transport.shutdown(secs(30)).await, 0, 0, 0);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_shutdown(&fetch(&transport, get(A)).await.unwrap_err());
}

/// DRN-01, DRN-04
#[tokio::test(start_paused = true)]
async fn idle_connections_close_at_once_and_no_task_is_left() {
    for http2 in [false, true] {
        let network = Network::new();
        let (server, transport) = echoing_by(http2, &network);
        let server = server.start_on(network.listen("a.test:80"));
        let transport = transport.build().unwrap();
        fetch(&transport, get(A)).await.unwrap();
        let begun = Instant::now();
        assert_report(transport.shutdown(secs(30)).await, 0, 0, 0);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_nothing_left(&network, &transport);
        assert_eq!(stats(&transport).closed.of(CloseReason::Shutdown), 1);
        drop(server);
        settle().await;
        assert_eq!(tasks(), 0, "HTTP/2: {http2}");
    }
}

/// DRN-01, DRN-02: one is answered in the grace, one waits for a connection, one comes too late.
#[tokio::test(start_paused = true)]
async fn what_is_under_way_ends_what_waits_fails_and_what_comes_is_refused() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .build()
        .unwrap();
    let held = send(&transport, get("http://a.test/held"));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let waiting = [send(&transport, get(A)), send(&transport, get(A))];
    settle().await;
    let begun = Instant::now();
    let shutdown = tokio::spawn(transport.shutdown(secs(30)));
    for waiting in waiting {
        assert_shutdown(&failure_of(waiting).await);
    }
    assert_shutdown(&failure_of(send(&transport, get(A))).await);
    assert_shutdown(&failure_of(send(&transport, get(B))).await);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    pass(secs(10)).await;
    assert!(!shutdown.is_finished());
    peer.respond("200 OK", "held").await.unwrap();
    assert_eq!(answer_to(held).await.unwrap(), "held");
    assert_report(shutdown.await.unwrap(), 2, 1, 0);
    assert_eq!(begun.elapsed(), secs(10), "ready as soon as all is done");
    assert_nothing_left(&network, &transport);
    settle().await;
    assert_eq!(tasks(), 0);
}

/// DRN-01: the body counts, not the head.
#[tokio::test(start_paused = true)]
async fn a_body_that_is_read_has_the_grace_as_well() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc";
    peer.write(head).await.unwrap();
    let response = sent.await.unwrap().unwrap();
    let shutdown = tokio::spawn(transport.shutdown(secs(30)));
    pass(secs(29)).await;
    peer.write("def").await.unwrap();
    assert_eq!(read(response).await.unwrap(), "abcdef");
    assert_report(shutdown.await.unwrap(), 0, 1, 0);
    assert_nothing_left(&network, &transport);
}

/// DRN-01: streams are counted one by one, and share their connection's end.
#[tokio::test(start_paused = true)]
async fn streams_end_one_by_one_and_their_connection_with_the_last() {
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
    fetch(&transport, get(A)).await.unwrap();
    let sent = [(); 3].map(|()| send(&transport, get("http://a.test/held")));
    gate.arrived(3).await;
    let shutdown = tokio::spawn(transport.shutdown(secs(30)));
    settle().await;
    assert_eq!(network.open_connections(), 1);
    gate.open();
    for sent in sent {
        assert_eq!(answer_to(sent).await.unwrap(), "ok");
    }
    assert_report(shutdown.await.unwrap(), 0, 3, 0);
    assert_nothing_left(&network, &transport);
}

/// DRN-04: dials end with it, and what they would have opened.
#[tokio::test(start_paused = true)]
async fn dials_are_given_up_at_once() {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let hold = network.hold_dials();
    let sent = [send(&transport, get(A)), send(&transport, get(A))];
    hold.arrived(2).await;
    let begun = Instant::now();
    assert_report(transport.shutdown(secs(30)).await, 2, 0, 0);
    for sent in sent {
        assert_shutdown(&failure_of(sent).await);
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_nothing_left(&network, &transport);
    settle().await;
    assert_eq!((hold.waiting(), tasks()), (0, 0));
}

/// DRN-04: with another TLS identity it is the same pool.
#[tokio::test(start_paused = true)]
async fn all_transports_that_share_the_pool_are_shut_down() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let transport = over(&network).build().unwrap();
    let other = transport.with_tls(standpipe_transport::TlsConfig::default());
    let clone = transport.clone();
    fetch(&other, get(A)).await.unwrap();
    assert_report(clone.shutdown(secs(1)).await, 0, 0, 0);
    for transport in [&transport, &other] {
        assert_shutdown(&head_of(transport, get(A)).await.unwrap_err());
    }
    assert_eq!(network.open_connections(), 0);
}

/// DRN-01: `close` waits for nothing.
#[tokio::test(start_paused = true)]
async fn close_does_the_same_without_an_end_to_the_grace() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .response_head_timeout(None)
        .build()
        .unwrap();
    let held = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let waiting = send(&transport, get(A));
    assert_eq!(transport.close(), 1);
    assert_eq!(transport.close(), 0);
    assert_shutdown(&failure_of(waiting).await);
    pass(secs(3600)).await;
    peer.respond("200 OK", "held").await.unwrap();
    let response = held.await.unwrap().unwrap();
    response.into_body().collect().await.unwrap();
    settle().await;
    assert_nothing_left(&network, &transport);
}
