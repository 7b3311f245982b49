//! What is told, and in which order.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use standpipe_core::ErrorKind;
use standpipe_test::memory::Network;
use standpipe_transport::CloseReason;

use crate::recorder::{Event, Recorder, assert_balanced};
use crate::support::{
    A, accept, answer_to, echo, echoing_by, failure_of, fetch, get, over, over_http2, pass, path,
    secs, send, settle, stats,
};

/// The life of one connection.
#[tokio::test(start_paused = true)]
async fn a_connection_is_created_reused_returned_and_closed_in_this_order() {
    for http2 in [false, true] {
        let network = Network::new();
        let log = Recorder::default();
        let (server, builder) = echoing_by(http2, &network);
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
            Event::Created,
            Event::Waited(Duration::ZERO),
            Event::Leased,
            Event::Returned,
            Event::Leased,
            Event::Reused(1),
            Event::Returned,
            Event::Leased,
            Event::Reused(2),
            Event::Returned,
            Event::Closed(CloseReason::Evicted, 3),
        ];
        let heard = log.take_told();
        assert!(heard.iter().all(|told| told.host == "a.test"));
        let heard: Vec<_> = heard.into_iter().map(|told| told.event).collect();
        assert_eq!(heard, told, "http2: {http2}");
    }
}

/// LIM-12
#[tokio::test(start_paused = true)]
async fn a_wait_and_a_full_queue_are_told_and_counted() {
    let network = Network::new();
    let log = Recorder::default();
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
        Event::Created,
        Event::Waited(Duration::ZERO),
        Event::Leased,
        Event::QueueFull,
        Event::QueueFull,
        Event::Returned,
        Event::Leased,
        Event::Reused(1),
        Event::Returned,
    ];
    let mut heard = log.take();
    // Whether it comes before or after the lease is nobody's concern.
    let waited = heard
        .iter()
        .position(|event| *event == Event::Waited(secs(2)))
        .unwrap();
    heard.remove(waited);
    assert_eq!(heard, told);
    assert_eq!(stats(&transport).wait_time, secs(2));
}

/// A dial that fails creates nothing.
#[tokio::test(start_paused = true)]
async fn a_failed_dial_is_told_and_creates_nothing() {
    let network = Network::new();
    let log = Recorder::default();
    let transport = over(&network).events(log.clone()).build().unwrap();
    network.fail_next_dials(1, io::ErrorKind::ConnectionReset);
    let error = fetch(&transport, get(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    settle().await;
    assert_eq!(log.take(), [Event::DialFailed(ErrorKind::Connect)]);
    let now = stats(&transport);
    assert_eq!((now.created, now.dial_failures), (0, 1));
    assert_eq!(now.closed.total(), 0);
}

/// A stream that is dropped gives its connection back, which others use still.
#[tokio::test(start_paused = true)]
async fn every_lease_of_a_shared_connection_is_returned_however_it_ends() {
    let network = Network::new();
    let log = Recorder::default();
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
    let count = |what: Event| heard.iter().filter(|event| **event == what).count();
    assert_eq!(
        (count(Event::Leased), count(Event::Returned)),
        (3, 3),
        "{heard:?}"
    );
    assert!(!heard.iter().any(|event| matches!(event, Event::Closed(..))));
    assert_balanced(&transport);
}

/// With the last handle go the connections, and that is told as well.
#[tokio::test(start_paused = true)]
async fn the_end_of_the_last_handle_is_told_of_each_connection() {
    for http2 in [false, true] {
        let network = Network::new();
        let log = Recorder::default();
        let (server, transport) = echoing_by(http2, &network);
        let _server = server.start_on(network.listen("a.test:80"));
        let transport = transport.events(log.clone()).build().unwrap();
        fetch(&transport, get(A)).await.unwrap();
        log.take();
        drop(transport);
        network.all_closed().await;
        settle().await;
        let closed = Event::Closed(CloseReason::Shutdown, 1);
        assert_eq!(log.take(), [closed], "HTTP/2: {http2}");
    }
}

/// Created once, closed once, and nothing after that, on four threads and with random ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_connection_is_created_once_and_closed_once() {
    for http2 in [false, true] {
        let network = Network::new();
        let log = Recorder::default();
        let (server, transport) = echoing_by(http2, &network);
        // Only over HTTP/1.1: a server of HTTP/2 answers all streams on one connection.
        let server = if http2 { server } else { server.close_after(7) };
        let _server = server.start_on(network.listen("a.test:80"));
        let transport = transport
            .events(log.clone())
            .max_connections_per_host(4)
            .max_idle_per_host(2)
            .max_requests_per_connection(Some(11))
            .build()
            .unwrap();
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let transport = transport.clone();
                tokio::spawn(async move {
                    for round in 0..200 {
                        let sent = send(&transport, get(A));
                        if (round + n) % 5 == 0 {
                            sent.abort();
                        } else {
                            // A connection that its server closed in between is an error here.
                            let _ = answer_to(sent).await;
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(transport.shutdown(secs(30)).await.complete);
        let stats = stats(&transport);
        assert_eq!(stats.created, stats.closed.total());
        let mut ends: HashMap<u64, (u64, u64)> = HashMap::new();
        for told in log.take_told() {
            let (created, closed) = ends.entry(told.connection).or_default();
            match told.event {
                Event::Created => *created += 1,
                Event::Closed(..) => {
                    assert_eq!(*created, 1, "closed before it was created");
                    *closed += 1;
                }
                _ => {}
            }
        }
        ends.remove(&0);
        assert_eq!(ends.len() as u64, stats.created);
        assert!(ends.values().all(|both| *both == (1, 1)), "{ends:?}");
    }
}
