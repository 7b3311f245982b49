//! Returned unsent: hyper gave the request back.

use standpipe_core::{ErrorKind, RequestSent};
use standpipe_test::memory::Network;

use crate::support::{
    A, accept, answer_to, echo, failure_of, get, over, path, post, send, settle, stats,
};

/// STALE-01
#[tokio::test(start_paused = true)]
async fn a_stale_connection_is_replaced_silently_even_under_a_post() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let first = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    echo(&mut peer).await;
    answer_to(first).await.unwrap();
    settle().await;
    // No task runs between the two, so the pool cannot have seen that the server is gone.
    drop(peer);
    let second = send(&transport, post("http://a.test/submit", "the body"));
    let mut peer = accept(&listener).await;
    let head = peer.read_head().await.unwrap();
    assert!(head.starts_with("POST /submit HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-length: 8\r\n"), "{head}");
    assert_eq!(peer.read_exact_body(8).await.unwrap(), "the body");
    peer.respond("200 OK", "done").await.unwrap();
    assert_eq!(answer_to(second).await.unwrap(), "done");
    assert_eq!((stats(&transport).resent, network.dials()), (1, 2));
}

/// STALE-08
#[tokio::test(start_paused = true)]
async fn several_stale_connections_cost_one_try_each() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let mut peers = Vec::new();
    let mut sent = Vec::new();
    for _ in 0..5 {
        sent.push(send(&transport, get(A)));
        peers.push(accept(&listener).await);
    }
    for (peer, sent) in peers.iter_mut().zip(sent) {
        echo(peer).await;
        answer_to(sent).await.unwrap();
    }
    settle().await;
    assert_eq!(stats(&transport).idle, 5);
    drop(peers);
    let last = send(&transport, get("http://a.test/last"));
    echo(&mut accept(&listener).await).await;
    assert_eq!(answer_to(last).await.unwrap(), "/last");
    let stats = stats(&transport);
    assert!(stats.resent <= 5, "{} tries", stats.resent);
    assert_eq!(stats.created, 6);
}

/// STALE-05
#[tokio::test(start_paused = true)]
async fn a_fresh_connection_that_closes_under_its_first_request_is_not_replaced() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    drop(peer);
    let error = failure_of(sent).await;
    assert_eq!(error.request_sent(), RequestSent::Maybe);
    assert!(!error.calls_for_resend());
    assert_eq!(network.dials(), 1);
}

/// STALE-05
#[tokio::test(start_paused = true)]
async fn a_fresh_connection_that_closes_at_once_is_an_error_and_no_loop_of_dials() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    let transport = over(&network).build().unwrap();
    let error = failure_of(send(&transport, get(A))).await;
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!(error.request_sent(), RequestSent::No);
    settle().await;
    assert_eq!(network.dials(), 1);
    let stats = stats(&transport);
    assert_eq!((stats.active, stats.dialing, stats.resent), (0, 0, 0));
}

/// STALE-05
#[tokio::test(start_paused = true)]
async fn each_of_several_requests_meets_a_closing_server_once() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    let transport = over(&network).max_idle_per_host(2);
    let transport = transport.max_connections_per_host(2).build().unwrap();
    let sent: Vec<_> = (0..6).map(|_| send(&transport, get(A))).collect();
    for sent in sent {
        let error = failure_of(sent).await;
        assert_eq!(error.request_sent(), RequestSent::No);
    }
    settle().await;
    assert!(network.dials() <= 6, "{} dials", network.dials());
}
