//! What is told, and in which order.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use standpipe_core::ErrorKind;
use standpipe_test::memory::Network;
use standpipe_transport::CloseReason;

use super::recorder::{Event, Recorder};
use super::support::{
    A, accept, answer_to, echo, echoing, failure_of, fetch, get, over, over_http2, pass, path,
    secs, send, settle, stats,
};

#[tokio::test(start_paused = true)]
async fn a_connections_life_is_told_from_its_opening_to_its_end() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let events = Recorder::default();
    let transport = over(&network).events(events.clone()).build().unwrap();
    fetch(&transport, get(A)).await.unwrap();
    let waited = Event::Waited(Duration::ZERO);
    assert_eq!(events.take(), [Event::Created, waited, Event::Returned]);
    fetch(&transport, get(A)).await.unwrap();
    assert_eq!(events.take(), [Event::Reused(1), Event::Returned]);
    transport.close_idle();
    settle().await;
    assert_eq!(events.take(), [Event::Closed(CloseReason::Evicted, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_told_with_its_length_and_a_full_queue_at_once() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let events = Recorder::default();
    let transport = over(&network)
        .events(events.clone())
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .max_waiting_per_host(Some(1))
        .build()
        .unwrap();
    let held = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    events.take();
    let second = send(&transport, get(A));
    let refused = failure_of(send(&transport, get(A))).await;
    assert_eq!(refused.kind(), ErrorKind::QueueFull);
    assert_eq!(events.take(), [Event::QueueFull]);
    assert_eq!(stats(&transport).queue_full, 1);
    pass(secs(3)).await;
    peer.respond("200 OK", "").await.unwrap();
    answer_to(held).await.unwrap();
    echo(&mut peer).await;
    answer_to(second).await.unwrap();
    let told = [
        Event::Returned,
        Event::Waited(secs(3)),
        Event::Reused(1),
        Event::Returned,
    ];
    assert_eq!(events.take(), told);
}

#[tokio::test(start_paused = true)]
async fn a_failed_dial_is_told() {
    let network = Network::new();
    network.fail_next_dials(1, io::ErrorKind::ConnectionRefused);
    let events = Recorder::default();
    let transport = over(&network).events(events.clone()).build().unwrap();
    failure_of(send(&transport, get(A))).await;
    assert_eq!(events.take(), [Event::DialFailed]);
}

/// With the last handle go the connections, and that is told as well.
#[tokio::test(start_paused = true)]
async fn the_end_of_the_last_handle_is_told_of_each_connection() {
    for http2 in [false, true] {
        let network = Network::new();
        let events = Recorder::default();
        let (server, transport) = if http2 {
            (echoing().http2(), over_http2(&network))
        } else {
            (echoing(), over(&network))
        };
        let _server = server.start_on(network.listen("a.test:80"));
        let transport = transport.events(events.clone()).build().unwrap();
        fetch(&transport, get(A)).await.unwrap();
        events.take();
        drop(transport);
        network.all_closed().await;
        settle().await;
        let closed = Event::Closed(CloseReason::Shutdown, 1);
        assert_eq!(events.take(), [closed], "HTTP/2: {http2}");
    }
}

/// Created once, closed once, and nothing after that, on four threads and with random ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_connection_is_created_once_and_closed_once() {
    for http2 in [false, true] {
        let network = Network::new();
        let events = Recorder::default();
        let (server, transport) = if http2 {
            (echoing().http2(), over_http2(&network))
        } else {
            (echoing().close_after(7), over(&network))
        };
        let _server = server.start_on(network.listen("a.test:80"));
        let transport = transport
            .events(events.clone())
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
        for (connection, event) in events.take_numbered() {
            let (created, closed) = ends.entry(connection).or_default();
            match event {
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
