//! The limit on one origin's connections, and its queue.

use std::io;

use http::Request;
use standpipe_core::{Body, Error, ErrorKind, Phase};
use standpipe_test::memory::{Listener, MemoryStream, Network};
use standpipe_test::{Ca, Peer};
use standpipe_transport::{Transport, TransportBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    A, B, Polled, Sent, accept, answer_to, echo, failure_of, get, over, path, send, settle, stats,
    trusting, until,
};

/// A transport with one connection at most to each origin.
fn one_each(network: &Network) -> TransportBuilder {
    over(network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
}

/// A transport whose one connection carries a request that nobody has answered.
async fn busy(network: &Network, listener: &Listener) -> (Transport, Sent, Peer<MemoryStream>) {
    let transport = one_each(network).build().unwrap();
    let held = send(&transport, get("http://a.test/held"));
    let mut peer = accept(listener).await;
    assert_eq!(path(&mut peer).await, "/held");
    (transport, held, peer)
}

/// LIM-01
#[tokio::test(start_paused = true)]
async fn a_request_over_the_limit_waits_for_the_connection_that_is_there() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let (transport, held, mut peer) = busy(&network, &listener).await;
    let second = send(&transport, get("http://a.test/second"));
    settle().await;
    let now = stats(&transport);
    assert_eq!((now.active, now.dialing, now.waiting), (1, 0, 1));
    peer.respond("200 OK", "held").await.unwrap();
    assert_eq!(answer_to(held).await.unwrap(), "held");
    echo(&mut peer).await;
    assert_eq!(answer_to(second).await.unwrap(), "/second");
    assert_eq!(network.dials(), 1);
    assert_eq!(stats(&transport).waited, 2);
}

/// LIM-02
#[tokio::test(start_paused = true)]
async fn a_dial_in_progress_counts_against_the_limit() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let hold = network.hold_dials();
    let transport = one_each(&network).build().unwrap();
    let sent: Vec<_> = (0..3).map(|_| send(&transport, get(A))).collect();
    hold.arrived(1).await;
    settle().await;
    assert_eq!((network.dials(), stats(&transport).dialing), (1, 1));
    drop(hold);
    let mut peer = accept(&listener).await;
    for sent in sent {
        echo(&mut peer).await;
        answer_to(sent).await.unwrap();
    }
    assert_eq!(network.dials(), 1);
}

/// LIM-03
#[tokio::test(start_paused = true)]
async fn a_request_dropped_while_its_dial_is_queued_frees_its_place() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = one_each(&network).build().unwrap();
    // Dropped with the dial allowed but not begun, and dropped with the dial begun and then failed.
    drop(Polled::new(&transport, get(A)));
    let hold = network.hold_dials();
    drop(Polled::waiting(&transport, get(A)));
    hold.arrived(1).await;
    network.fail_next_dials(1, io::ErrorKind::ConnectionReset);
    drop(hold);
    settle().await;
    let next = send(&transport, get("http://a.test/next"));
    echo(&mut accept(&listener).await).await;
    assert_eq!(answer_to(next).await.unwrap(), "/next");
}

/// LIM-04
#[tokio::test(start_paused = true)]
async fn a_failed_dial_gives_its_place_back() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    network.fail_next_dials(1, io::ErrorKind::ConnectionReset);
    let transport = one_each(&network).build().unwrap();
    let error = failure_of(send(&transport, get(A))).await;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(error.phase(), Some(Phase::Dial));
    assert_eq!(stats(&transport).dialing, 0);
    let next = send(&transport, get(A));
    echo(&mut accept(&listener).await).await;
    answer_to(next).await.unwrap();
}

/// LIM-04
#[tokio::test(start_paused = true)]
async fn a_failed_dial_costs_one_waiter_at_most_and_the_next_one_dials() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    network.fail_next_dials(1, io::ErrorKind::ConnectionReset);
    let transport = one_each(&network).build().unwrap();
    let sent = [(); 3].map(|()| send(&transport, get(A)));
    let mut peer = accept(&listener).await;
    tokio::spawn(async move {
        while peer.read_head().await.is_ok() {
            peer.respond("200 OK", "").await.unwrap();
        }
    });
    let mut failed = 0;
    for sent in sent {
        if let Err(error) = answer_to(sent).await {
            assert_eq!(error.kind(), ErrorKind::Connect);
            failed += 1;
        }
    }
    assert!(failed <= 1, "{failed} failed");
    assert_eq!((network.dials(), stats(&transport).dial_failures), (2, 1));
}

/// LIM-04: a connection that works is worth waiting for.
#[tokio::test(start_paused = true)]
async fn a_failed_dial_fails_nobody_whom_another_connection_can_serve() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .max_connections_per_host(2)
        .max_idle_per_host(2);
    let transport = transport.build().unwrap();
    let first = send(&transport, get("http://a.test/first"));
    let mut peer = accept(&listener).await;
    network.fail_next_dials(1, io::ErrorKind::ConnectionReset);
    let second = send(&transport, get("http://a.test/second"));
    until(|| stats(&transport).dial_failures == 1).await;
    echo(&mut peer).await;
    echo(&mut peer).await;
    assert_eq!(answer_to(first).await.unwrap(), "/first");
    assert_eq!(answer_to(second).await.unwrap(), "/second");
}

/// While it is not known whether one connection will carry all, one dial stands for all who wait.
///
/// LIM-04
#[tokio::test(start_paused = true)]
async fn a_dial_that_stood_for_all_fails_all_who_waited_when_it_began() {
    let network = Network::new();
    let listener = network.listen("a.test:443");
    network.fail_next_dials(1, io::ErrorKind::ConnectionReset);
    let ca = Ca::new();
    let transport = over(&network).tls(trusting(&ca)).build().unwrap();
    let url = "https://a.test/";
    let sent: Vec<_> = (0..5).map(|_| send(&transport, get(url))).collect();
    for sent in sent {
        assert_eq!(failure_of(sent).await.kind(), ErrorKind::Connect);
    }
    settle().await;
    assert_eq!(network.dials(), 1);
    assert!(listener.try_accept().is_none());
}

/// LIM-05
#[tokio::test(start_paused = true)]
async fn waiters_are_served_in_the_order_of_their_arrival() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let (transport, _held, mut peer) = busy(&network, &listener).await;
    let urls = ["http://a.test/1", "http://a.test/2", "http://a.test/3"];
    let sent: Vec<_> = urls.map(|url| send(&transport, get(url))).into();
    settle().await;
    peer.respond("200 OK", "held").await.unwrap();
    for expected in ["/1", "/2", "/3"] {
        assert_eq!(echo(&mut peer).await, expected);
    }
    for sent in sent {
        answer_to(sent).await.unwrap();
    }
}

/// LIM-05, LIM-07: who comes when the connection is free, but others wait, gets in line.
#[tokio::test(start_paused = true)]
async fn a_newcomer_does_not_overtake_a_waiter() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let (transport, held, mut peer) = busy(&network, &listener).await;
    let mut waiter = Polled::waiting(&transport, get("http://a.test/waiter"));
    peer.respond("200 OK", "held").await.unwrap();
    answer_to(held).await.unwrap();
    // The waiter has been granted the connection and has not looked yet.
    let newcomer = send(&transport, get("http://a.test/newcomer"));
    settle().await;
    assert!(waiter.poll().is_none(), "sent, and not answered");
    assert_eq!(echo(&mut peer).await, "/waiter");
    settle().await;
    waiter.poll().unwrap().unwrap();
    assert_eq!(echo(&mut peer).await, "/newcomer");
    answer_to(newcomer).await.unwrap();
}

/// LIM-06
#[tokio::test(start_paused = true)]
async fn a_waiter_that_goes_leaves_the_order_of_the_others() {
    for (gone, left) in [
        (0, ["/1", "/2", "/3"]),
        (1, ["/0", "/2", "/3"]),
        (2, ["/0", "/1", "/3"]),
        (3, ["/0", "/1", "/2"]),
    ] {
        let network = Network::new();
        let listener = network.listen("a.test:80");
        let (transport, _held, mut peer) = busy(&network, &listener).await;
        let sent = [0, 1, 2, 3].map(|n| send(&transport, get(&format!("http://a.test/{n}"))));
        settle().await;
        sent[gone].abort();
        settle().await;
        assert_eq!(stats(&transport).waiting, 3);
        peer.respond("200 OK", "held").await.unwrap();
        for expected in left {
            assert_eq!(echo(&mut peer).await, expected, "without {gone}");
        }
    }
}

/// LIM-09
#[tokio::test(start_paused = true)]
async fn a_saturated_origin_does_not_keep_another_waiting() {
    let network = Network::new();
    let (a, b) = (network.listen("a.test:80"), network.listen("b.test:80"));
    let (transport, _held, _peer) = busy(&network, &a).await;
    let _waiting: Vec<_> = (0..50).map(|_| send(&transport, get(A))).collect();
    let other = send(&transport, get(B));
    echo(&mut accept(&b).await).await;
    assert_eq!(answer_to(other).await.unwrap(), "/");
    assert_eq!(stats(&transport).waiting, 50);
}

/// LIM-12
#[tokio::test(start_paused = true)]
async fn one_waiter_more_than_may_wait_fails_at_once() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = one_each(&network).max_waiting_per_host(Some(2));
    let transport = transport.build().unwrap();
    let held = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let waiting = [send(&transport, get(A)), send(&transport, get(A))];
    let refused = Polled::new(&transport, get(A)).poll();
    let error = refused.unwrap().map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QueueFull);
    assert_eq!(error.phase(), Some(Phase::Acquire));
    assert_eq!(error.origin().unwrap().as_str(), "http://a.test");
    // The others keep their places, and a place that is left can be taken.
    peer.respond("200 OK", "held").await.unwrap();
    answer_to(held).await.unwrap();
    for sent in waiting {
        echo(&mut peer).await;
        answer_to(sent).await.unwrap();
    }
    let later = send(&transport, get(A));
    echo(&mut peer).await;
    answer_to(later).await.unwrap();
}

/// LIM-13
#[test]
fn a_limit_of_zero_is_refused_when_the_transport_is_built() {
    let refused = [
        (
            Transport::builder().max_connections_per_host(0),
            "max_connections_per_host is 0",
        ),
        (
            Transport::builder().max_connections(Some(0)),
            "max_connections is 0",
        ),
        (
            Transport::builder().max_waiting_per_host(Some(0)),
            "max_waiting_per_host is 0",
        ),
        (
            Transport::builder().max_requests_per_connection(Some(0)),
            "max_requests_per_connection is 0",
        ),
        (
            Transport::builder()
                .max_connections_per_host(4)
                .max_idle_per_host(5),
            "max_idle_per_host is 5",
        ),
    ];
    for (builder, message) in refused {
        let error: Error = builder.build().map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(message), "{error}");
    }
}

/// LIM-16
#[tokio::test(start_paused = true)]
async fn an_upgraded_connection_holds_its_place_until_its_io_is_dropped() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = one_each(&network).build().unwrap();
    let request = Request::get("http://a.test/chat")
        .header("connection", "upgrade")
        .header("upgrade", "chat")
        .body(Body::empty())
        .unwrap();
    let sent = send(&transport, request);
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n";
    peer.write(switch).await.unwrap();
    let response = sent.await.unwrap().unwrap();
    let upgraded = hyper::upgrade::on(response).await.unwrap();
    let waiting = send(&transport, get("http://a.test/next"));
    settle().await;
    let now = stats(&transport);
    assert_eq!((now.active, now.waiting, network.dials()), (1, 1, 1));

    let mut io = hyper_util::rt::TokioIo::new(upgraded);
    io.write_all(b"ping").await.unwrap();
    assert_eq!(peer.read_exact_body(4).await.unwrap(), "ping");
    peer.write("pong").await.unwrap();
    let mut pong = [0; 4];
    io.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"pong");

    drop(io);
    echo(&mut accept(&listener).await).await;
    assert_eq!(answer_to(waiting).await.unwrap(), "/next");
    assert_eq!(network.peak_connections(), 1);
}
