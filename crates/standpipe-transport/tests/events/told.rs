//! What is told, and in which order.

use std::io;

use standpipe_core::ErrorKind;
use standpipe_test::memory::Network;

use crate::support::{
    A, accept, answer_to, echo, echoing, failure_of, fetch, get, over, over_http2, pass, path,
    secs, send, settle, stats,
};
use crate::{Log, assert_balanced};

/// The life of one connection.
#[tokio::test(start_paused = true)]
async fn a_connection_is_created_reused_returned_and_closed_in_this_order() {
    for http2 in [false, true] {
        let network = Network::new();
        let log = Log::default();
        let (server, builder) = match http2 {
            true => (echoing().http2(), over_http2(&network)),
            false => (echoing(), over(&network)),
        };
        let _server = server.start_on(network.listen("a.test:80"));
        let transport = builder.events(log.clone()).build().unwrap();
        for _ in 0..3 {
            fetch(&transport, get(A)).await.unwrap();
            settle().await;
            assert_balanced(&transport);
        }
        transport.close_idle();
        settle().await;
        assert_balanced(&transport);
        let told = [
            "created a.test",
            "waited 0ns",
            "leased",
            "returned",
            "leased",
            "reused after 1",
            "returned",
            "leased",
            "reused after 2",
            "returned",
            "closed Evicted 3",
        ];
        assert_eq!(log.take(), told, "http2: {http2}");
    }
}

/// LIM-12
#[tokio::test(start_paused = true)]
async fn a_wait_and_a_full_queue_are_told_and_counted() {
    let network = Network::new();
    let log = Log::default();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .max_waiting_per_host(Some(1))
        .events(log.clone())
        .build()
        .unwrap();
    let first = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let second = send(&transport, get(A));
    for refused in 1..=2 {
        let error = failure_of(send(&transport, get(A))).await;
        assert_eq!(error.kind(), ErrorKind::QueueFull);
        assert_eq!(stats(&transport).queue_full, refused);
    }
    pass(secs(2)).await;
    peer.respond("200 OK", "").await.unwrap();
    answer_to(first).await.unwrap();
    echo(&mut peer).await;
    answer_to(second).await.unwrap();
    settle().await;
    let told = [
        "created a.test",
        "waited 0ns",
        "leased",
        "queue full",
        "queue full",
        "returned",
        "leased",
        "reused after 1",
        "returned",
    ];
    let mut heard = log.take();
    // Whether it comes before or after the lease is nobody's concern.
    let waited = heard.iter().position(|line| line == "waited 2s").unwrap();
    heard.remove(waited);
    assert_eq!(heard, told);
    assert_eq!(stats(&transport).wait_time, secs(2));
}

/// A dial that fails creates nothing.
#[tokio::test(start_paused = true)]
async fn a_failed_dial_is_told_and_creates_nothing() {
    let network = Network::new();
    let log = Log::default();
    let transport = over(&network).events(log.clone()).build().unwrap();
    network.fail_next_dials(1, io::ErrorKind::ConnectionReset);
    let error = fetch(&transport, get(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    settle().await;
    assert_eq!(log.take(), ["dial failed Connect"]);
    let now = stats(&transport);
    assert_eq!((now.created, now.dial_failures), (0, 1));
    assert_eq!(now.closed.total(), 0);
}

/// A stream that is dropped gives its connection back, which others use still.
#[tokio::test(start_paused = true)]
async fn every_lease_of_a_shared_connection_is_returned_however_it_ends() {
    let network = Network::new();
    let log = Log::default();
    let server = standpipe_test::Server::builder()
        .http2()
        .handler(|_| std::future::pending::<http::Response<http_body_util::Empty<bytes::Bytes>>>());
    let _server = server.start_on(network.listen("a.test:80"));
    let transport = over_http2(&network).events(log.clone()).build().unwrap();
    let dropped: Vec<_> = (0..3).map(|_| send(&transport, get(A))).collect();
    settle().await;
    dropped.into_iter().for_each(|request| request.abort());
    pass(secs(1)).await;
    let heard = log.take();
    let count = |what: &str| heard.iter().filter(|line| *line == what).count();
    assert_eq!((count("leased"), count("returned")), (3, 3), "{heard:?}");
    assert!(!heard.iter().any(|line| line.starts_with("closed")));
    assert_balanced(&transport);
}
