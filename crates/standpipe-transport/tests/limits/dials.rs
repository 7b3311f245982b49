//! Dials that fail or hang while others wait, and who bears it.

use std::io;
use std::time::Duration;

use http::Request;
use standpipe_core::{Body, ErrorKind};
use standpipe_test::H2Peer;
use standpipe_test::memory::Network;
use tokio::time::Instant;

use crate::support::{
    A, Polled, accept, answer_to, echo, echoing, failure_of, fetch, get, over, over_http2, pass,
    path, secs, send, settle, stats,
};

/// A connection that never comes back keeps nobody waiting: after a second failed dial the error goes out.
#[tokio::test(start_paused = true)]
async fn a_dial_that_fails_beside_a_busy_connection_is_tried_once_more_and_then_told() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).response_head_timeout(None).build().unwrap();
    let _busy = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    network.fail_next_dials(2, io::ErrorKind::ConnectionRefused);
    let begun = Instant::now();
    let waiter = send(&transport, get(A));
    let error = tokio::time::timeout(secs(60), failure_of(waiter)).await;
    assert_eq!(error.unwrap().kind(), ErrorKind::Connect);
    assert_eq!(begun.elapsed(), Duration::from_millis(50));
    assert_eq!(stats(&transport).dial_failures, 2);
}

/// The same of an upgraded connection, with a dial that works the second time.
#[tokio::test(start_paused = true)]
async fn the_second_dial_serves_whoever_waited_beside_an_upgraded_connection() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let request = Request::get(A)
        .header("connection", "upgrade")
        .header("upgrade", "chat")
        .body(Body::empty())
        .unwrap();
    let sent = send(&transport, request);
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n";
    peer.write(switch).await.unwrap();
    let _upgraded = hyper::upgrade::on(sent.await.unwrap().unwrap())
        .await
        .unwrap();
    network.fail_next_dials(1, io::ErrorKind::ConnectionRefused);
    let waiters = [(); 3].map(|()| send(&transport, get(A)));
    tokio::spawn(async move {
        let mut peers = Vec::new();
        loop {
            let mut peer = accept(&listener).await;
            peers.push(tokio::spawn(async move {
                while peer.read_head().await.is_ok() {
                    peer.respond("200 OK", "").await.unwrap();
                }
            }));
        }
    });
    for waiter in waiters {
        let answer = tokio::time::timeout(secs(60), answer_to(waiter)).await;
        answer.expect("it does not hang").unwrap();
    }
}

/// A dial that has paused, and that nobody needs when the pause is over, is not begun.
#[tokio::test(start_paused = true)]
async fn a_second_dial_that_nobody_needs_any_more_is_not_begun() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let busy = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    network.fail_next_dials(1, io::ErrorKind::ConnectionRefused);
    let waiter = send(&transport, get(A));
    settle().await;
    assert_eq!(stats(&transport).dialing, 1, "the one that pauses");
    peer.respond("200 OK", "").await.unwrap();
    answer_to(busy).await.unwrap();
    echo(&mut peer).await;
    answer_to(waiter).await.unwrap();
    pass(secs(1)).await;
    assert_eq!(network.dials(), 2);
    let now = stats(&transport);
    assert_eq!((now.dialing, now.idle, now.active), (0, 1, 0));
}

/// Five wait for a peer that takes no connection: none waits for more than two dials in a row.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_more_than_two_dials_that_hang() {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let hold = network.hold_dials();
    let transport = over(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .connect_timeout(Some(secs(30)))
        .build()
        .unwrap();
    let begun = Instant::now();
    let sent = [(); 5].map(|()| send(&transport, get(A)));
    let mut times = Vec::new();
    for sent in sent {
        let error = failure_of(sent).await;
        assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
        times.push(begun.elapsed());
    }
    assert_eq!(times, [30, 60, 60, 60, 60].map(secs));
    drop(hold);
}

/// However many keep coming: the errors of a round of dials go out when that round is over.
#[tokio::test(start_paused = true)]
async fn those_who_keep_coming_do_not_put_the_errors_of_the_first_off() {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let _hold = network.hold_dials();
    let transport = over(&network).connect_timeout(Some(secs(30)));
    let transport = transport.build().unwrap();
    let first = send(&transport, get(A));
    let mut later = Vec::new();
    for _ in 0..61 {
        pass(secs(1)).await;
        later.push(send(&transport, get(A)));
    }
    assert!(first.is_finished(), "it waits though all dials fail");
    assert_eq!(failure_of(first).await.kind(), ErrorKind::ConnectTimeout);
}

/// LIM-11: no dial begins for one who does not wait.
#[tokio::test(start_paused = true)]
async fn one_who_does_not_wait_has_no_dial_begun_for_it() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let transport = over(&network).acquire_timeout(Some(Duration::ZERO));
    let transport = transport.build().unwrap();
    let error = fetch(&transport, get(A)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::AcquireTimeout { .. }));
    settle().await;
    assert_eq!(network.dials(), 0);
    let origin = standpipe_core::Origin::parse(A).unwrap();
    assert_eq!(transport.warm(&origin, 1).await.unwrap(), 1);
    fetch(&transport, get(A)).await.unwrap();
    assert_eq!(network.dials(), 1);
}

/// A dial is nobody's own: one who is woken for it and busy with something else keeps nobody waiting.
#[tokio::test(start_paused = true)]
async fn a_head_that_is_not_polled_does_not_keep_the_others_from_dialling() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .build()
        .unwrap();
    let busy = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let mut head = Polled::waiting(&transport, get("http://a.test/head"));
    let next = send(&transport, get("http://a.test/next"));
    settle().await;
    // The connection goes, and nobody polls the head.
    busy.abort();
    peer.closed().await;
    settle().await;
    assert_eq!(network.dials(), 2, "the next one dials for it");
    let mut peer = accept(&listener).await;
    settle().await;
    assert!(head.poll().is_none(), "sent, and not answered");
    assert_eq!(echo(&mut peer).await, "/head", "the order stays");
    settle().await;
    head.poll().unwrap().unwrap();
    assert_eq!(echo(&mut peer).await, "/next");
    answer_to(next).await.unwrap();
}

/// A peer that never tells its limit on streams keeps nobody from dialling for longer than a
/// handshake may take.
#[tokio::test(start_paused = true)]
async fn an_http2_peer_without_settings_does_not_stand_for_a_dial_for_ever() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over_http2(&network)
        .response_head_timeout(None)
        .tls_timeout(Some(secs(10)))
        .build()
        .unwrap();
    let _first = send(&transport, get(A));
    let _mute = listener.accept().await;
    let second = send(&transport, get(A));
    pass(secs(10) - Duration::from_millis(1)).await;
    assert_eq!(network.dials(), 1);
    pass(Duration::from_millis(1)).await;
    assert_eq!(network.dials(), 2);
    let stream = listener.accept().await;
    let mut peer = H2Peer::accept(stream, &[]).await.unwrap();
    let stream = peer.request().await.unwrap();
    peer.respond(stream, "ok").await.unwrap();
    assert_eq!(answer_to(second).await.unwrap(), "ok");
}
