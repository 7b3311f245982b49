//! Hooks that panic.

use std::time::Duration;

use standpipe_core::{ConnectionFacts, Error, Origin};
use standpipe_test::memory::Network;
use standpipe_transport::{Closed, PoolEvents};

use crate::recorder::assert_balanced;
use crate::support::{
    A, accept, answer_to, echo, echoing_by, failure_of, fetch, get, head_of, over, path, secs,
    send, settle, stats,
};

struct Panics;

impl PoolEvents for Panics {
    fn created(&self, _: &Origin, _: &ConnectionFacts) {
        panic!("created");
    }

    fn reused(&self, _: &Origin, _: &ConnectionFacts, _: u64) {
        panic!("reused");
    }

    fn returned(&self, _: &Origin, _: &ConnectionFacts) {
        panic!("returned");
    }

    fn closed(&self, _: &Origin, _: &Closed<'_>) {
        panic!("closed");
    }

    fn dial_failed(&self, _: &Origin, _: &Error) {
        panic!("dial failed");
    }

    fn waited(&self, _: &Origin, _: Duration) {
        panic!("waited");
    }

    fn queue_full(&self, _: &Origin) {
        panic!("queue full");
    }
}

/// PAN-01
#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_harms_nobody() {
    for http2 in [false, true] {
        let network = Network::new();
        let (server, transport) = echoing_by(http2, &network);
        network.fail_next_dials(1, std::io::ErrorKind::ConnectionRefused);
        let _server = server.start_on(network.listen("a.test:80"));
        let transport = transport.events(Panics).build().unwrap();
        failure_of(send(&transport, get(A))).await;
        for _ in 0..3 {
            assert_eq!(fetch(&transport, get(A)).await.unwrap(), "/");
        }
        // Dropped in the middle, and while the test unwinds nothing.
        send(&transport, get(A)).abort();
        settle().await;
        transport.close_idle();
        settle().await;
        assert_eq!(fetch(&transport, get(A)).await.unwrap(), "/");
        assert!(transport.shutdown(secs(1)).await.complete);
        let stats = stats(&transport);
        assert_eq!((stats.active, stats.waiting), (0, 0));
        assert_eq!(stats.created, stats.closed.total());
    }
}

/// PAN-01
#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_harms_nobody_in_the_queue() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .max_waiting_per_host(Some(1))
        .events(Panics)
        .build()
        .unwrap();
    network.fail_next_dials(1, std::io::ErrorKind::ConnectionRefused);
    failure_of(send(&transport, get(A))).await;
    for _ in 0..2 {
        let first = send(&transport, get(A));
        let mut peer = accept(&listener).await;
        path(&mut peer).await;
        let second = send(&transport, get(A));
        failure_of(send(&transport, get(A))).await;
        peer.respond("200 OK", "first").await.unwrap();
        assert_eq!(answer_to(first).await.unwrap(), "first");
        echo(&mut peer).await;
        assert_eq!(answer_to(second).await.unwrap(), "/");
        transport.close_idle();
        peer.closed().await;
        settle().await;
        assert_balanced(&transport);
    }
    let now = stats(&transport);
    assert_eq!((now.created, now.closed.total(), now.queue_full), (2, 2, 2));
    assert!(transport.shutdown(secs(1)).await.complete);
}

/// PAN-01, CAN-19: while a task unwinds, its request is dropped and a hook panics: the process goes on.
#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_while_another_panic_unwinds_does_not_abort() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).events(Panics).build().unwrap();
    let other = transport.clone();
    let unwinding = tokio::spawn(async move {
        let response = head_of(&other, get(A)).await.unwrap();
        let _held = response;
        panic!("with a response in hand");
    });
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc";
    peer.write(head).await.unwrap();
    assert!(unwinding.await.unwrap_err().is_panic());
    settle().await;
    assert_eq!(network.open_connections(), 0);
    assert_eq!(stats(&transport).active, 0);
}
