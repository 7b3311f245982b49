//! Shutdowns that are repeated or given up, and what is left afterwards.

use std::time::Duration;

use standpipe_core::ErrorKind;
use standpipe_test::memory::Network;
use tokio::time::Instant;

use crate::support::{
    A, accept, answer_to, echoing, failure_of, fetch, get, head_of, over, over_http2, pass, path,
    secs, send, settle, stats,
};

/// DRN-03
#[tokio::test(start_paused = true)]
async fn each_of_two_shutdowns_keeps_its_own_grace() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).response_head_timeout(None).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let long = tokio::spawn(transport.shutdown(secs(60)));
    let short = tokio::spawn(transport.shutdown(secs(5)));
    let begun = Instant::now();
    let (long, short) = (long.await.unwrap(), short.await.unwrap());
    assert_eq!(begun.elapsed(), secs(5));
    assert_eq!(failure_of(sent).await.kind(), ErrorKind::Shutdown);
    assert_eq!((short.cut, short.finished, short.complete), (1, 0, true));
    assert!(long.complete);
    let third = transport.shutdown(secs(1)).await;
    assert_eq!((third.waiting, third.finished, third.cut), (0, 0, 0));
    assert!(third.complete);
}

/// DRN-03
#[tokio::test(start_paused = true)]
async fn a_dropped_shutdown_leaves_the_pool_closed_and_cuts_nothing() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).response_head_timeout(None).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let shutdown = tokio::spawn(transport.shutdown(secs(5)));
    settle().await;
    shutdown.abort();
    pass(secs(60)).await;
    assert!(!sent.is_finished());
    let error = head_of(&transport, get(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shutdown);
    peer.respond("200 OK", "late").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "late");
    settle().await;
    assert_eq!(network.open_connections(), 0);
}

/// DRN-03: it needs no poll to close the pool.
#[tokio::test(start_paused = true)]
async fn a_shutdown_that_is_never_polled_closes_the_pool() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let transport = over(&network).build().unwrap();
    fetch(&transport, get(A)).await.unwrap();
    drop(transport.shutdown(secs(5)));
    settle().await;
    assert_eq!(network.open_connections(), 0);
    let error = head_of(&transport, get(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shutdown);
}

fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

/// DRN-04
#[tokio::test(start_paused = true)]
async fn afterwards_there_is_no_connection_and_no_task() {
    for http2 in [false, true] {
        let network = Network::new();
        let builder = if http2 { echoing().http2() } else { echoing() };
        let server = builder.start_on(network.listen("a.test:80"));
        let builder = if http2 {
            over_http2(&network)
        } else {
            over(&network)
        };
        let transport = builder.min_idle(2).build().unwrap();
        for _ in 0..3 {
            fetch(&transport, get(A)).await.unwrap();
        }
        settle().await;
        let report = transport.shutdown(secs(5)).await;
        assert!(report.complete);
        assert_eq!(network.open_connections(), 0);
        let now = stats(&transport);
        assert_eq!(
            (now.dialing, now.active, now.idle, now.waiting),
            (0, 0, 0, 0)
        );
        assert_eq!(now.created, now.closed.total());
        server.shutdown().await;
        settle().await;
        assert_eq!(tasks(), 0, "http2: {http2}");
        let dials = network.dials();
        pass(secs(600)).await;
        assert_eq!(network.dials(), dials);
    }
}

/// DRN-04: the cut included.
#[tokio::test(start_paused = true)]
async fn after_a_cut_there_is_no_connection_and_no_task() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .max_connections_per_host(2)
        .max_idle_per_host(2);
    let transport = transport.build().unwrap();
    let held: Vec<_> = (0..5).map(|_| send(&transport, get(A))).collect();
    let mut peers = [accept(&listener).await, accept(&listener).await];
    for peer in &mut peers {
        path(peer).await;
    }
    let report = transport.shutdown(Duration::from_millis(1)).await;
    assert_eq!((report.waiting, report.cut, report.complete), (3, 2, true));
    for held in held {
        assert_eq!(failure_of(held).await.kind(), ErrorKind::Shutdown);
    }
    settle().await;
    assert_eq!((tasks(), network.open_connections()), (0, 0));
}
