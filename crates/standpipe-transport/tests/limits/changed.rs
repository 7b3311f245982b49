//! Limits that change while the transport runs.

use standpipe_core::ErrorKind;
use standpipe_test::memory::Network;
use standpipe_transport::{CloseReason, PoolLimits};

use crate::support::{
    A, B, accept, answer_to, echo, echoing, failure_of, fetch, get, over, over_http2, path, send,
    settle, stats,
};

fn limits(change: impl FnOnce(&mut PoolLimits)) -> PoolLimits {
    let mut limits = PoolLimits::default();
    change(&mut limits);
    limits
}

/// So many connections to one origin.
fn each(n: usize) -> PoolLimits {
    limits(|limits| {
        limits.max_connections_per_host = n;
        limits.max_idle_per_host = n;
    })
}

/// LIM-14
#[tokio::test(start_paused = true)]
async fn a_limit_that_is_raised_lets_those_who_wait_dial_at_once() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).limits(each(1)).build().unwrap();
    let sent = [(); 4].map(|()| send(&transport, get(A)));
    let mut peers = vec![accept(&listener).await];
    settle().await;
    assert_eq!((network.dials(), stats(&transport).waiting), (1, 3));
    transport.set_limits(&each(3)).unwrap();
    for _ in 0..2 {
        peers.push(accept(&listener).await);
    }
    settle().await;
    assert_eq!((network.dials(), stats(&transport).waiting), (3, 1));
    for peer in &mut peers {
        echo(peer).await;
    }
    echo(&mut peers[0]).await;
    for sent in sent {
        answer_to(sent).await.unwrap();
    }
}

/// LIM-14
#[tokio::test(start_paused = true)]
async fn a_limit_that_is_lowered_ends_no_request_and_admits_none_until_below() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).limits(each(4)).build().unwrap();
    let sent = [(); 3].map(|()| send(&transport, get(A)));
    let mut peers = Vec::new();
    for _ in 0..3 {
        let mut peer = accept(&listener).await;
        path(&mut peer).await;
        peers.push(peer);
    }
    let idle = transport.warm(&standpipe_core::Origin::parse(A).unwrap(), 4);
    assert_eq!(idle.await.unwrap(), 4);
    transport.set_limits(&each(1)).unwrap();
    settle().await;
    assert_eq!((stats(&transport).active, stats(&transport).idle), (3, 0));
    let next = send(&transport, get(A));
    settle().await;
    for (left, peer) in [2, 1].into_iter().zip(&mut peers) {
        peer.respond("200 OK", "").await.unwrap();
        peer.closed().await;
        settle().await;
        let now = stats(&transport);
        assert_eq!((now.active, now.waiting), (left, 1), "none is admitted");
    }
    peers[2].respond("200 OK", "").await.unwrap();
    echo(&mut peers[2]).await;
    answer_to(next).await.unwrap();
    for sent in sent {
        answer_to(sent).await.unwrap();
    }
    settle().await;
    let now = stats(&transport);
    assert_eq!(now.closed.of(CloseReason::LimitLowered), 3);
    assert_eq!((now.active, now.idle, network.dials()), (0, 1, 4));
}

/// LIM-14
#[tokio::test(start_paused = true)]
async fn the_limit_in_all_changes_likewise() {
    let network = Network::new();
    let (a, b) = (network.listen("a.test:80"), network.listen("b.test:80"));
    let in_all = |n| limits(|limits| limits.max_connections = Some(n));
    let transport = over(&network).limits(in_all(2)).build().unwrap();
    let sent = [send(&transport, get(A)), send(&transport, get(A))];
    let (mut one, mut two) = (accept(&a).await, accept(&a).await);
    path(&mut one).await;
    path(&mut two).await;
    transport.set_limits(&in_all(1)).unwrap();
    let other = send(&transport, get(B));
    settle().await;
    one.respond("200 OK", "").await.unwrap();
    one.closed().await;
    settle().await;
    assert_eq!(network.dials(), 2, "at the limit, not below it");
    transport.set_limits(&in_all(2)).unwrap();
    let mut third = accept(&b).await;
    echo(&mut third).await;
    answer_to(other).await.unwrap();
    two.respond("200 OK", "").await.unwrap();
    for sent in sent {
        answer_to(sent).await.unwrap();
    }
    assert!(network.peak_connections() <= 2);
}

/// LIM-14: streams go on, the youngest connection takes no more.
#[tokio::test(start_paused = true)]
async fn a_lowered_limit_drains_http2_connections() {
    let network = Network::new();
    let server = echoing().http2().start_on(network.listen("a.test:80"));
    let transport = over_http2(&network).limits(each(3)).build().unwrap();
    let origin = standpipe_core::Origin::parse(A).unwrap();
    assert_eq!(transport.warm(&origin, 3).await.unwrap(), 3);
    transport.set_limits(&each(1)).unwrap();
    settle().await;
    assert_eq!((stats(&transport).idle, server.stats().open), (1, 1));
    fetch(&transport, get(A)).await.unwrap();
    assert_eq!(network.dials(), 3);
}

/// LIM-14, LIM-12, IDLE-03: of new origins as well.
#[tokio::test(start_paused = true)]
async fn waiters_and_idle_connections_are_held_to_the_new_limits() {
    let network = Network::new();
    let _a = echoing().start_on(network.listen("a.test:80"));
    let b = network.listen("b.test:80");
    let transport = over(&network).build().unwrap();
    fetch(&transport, get(A)).await.unwrap();
    let new = limits(|limits| {
        limits.max_connections_per_host = 1;
        limits.max_idle_per_host = 0;
        limits.max_waiting_per_host = Some(1);
    });
    transport.set_limits(&new).unwrap();
    settle().await;
    assert_eq!((stats(&transport).idle, network.open_connections()), (0, 0));
    let _held = send(&transport, get(B));
    let _peer = accept(&b).await;
    settle().await;
    let _waits = send(&transport, get(B));
    let error = failure_of(send(&transport, get(B))).await;
    assert_eq!(error.kind(), ErrorKind::QueueFull);
}

/// LIM-13
#[tokio::test(start_paused = true)]
async fn limits_that_could_not_be_built_with_cannot_be_set() {
    let transport = over(&Network::new()).build().unwrap();
    let error = transport.set_limits(&each(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
