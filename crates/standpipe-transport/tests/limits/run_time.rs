//! Limits that are set while the pool is in use.

use std::num::NonZeroUsize;

use standpipe_core::{ErrorKind, Origin};
use standpipe_test::memory::Network;
use standpipe_transport::{CloseReason, PoolLimits};

use crate::support::{
    A, B, accept, answer_to, echo, echoing, fetch, get, over, pass, path, secs, send, settle, stats,
};

fn each(connections: usize) -> PoolLimits {
    let mut limits = PoolLimits::default();
    limits.max_connections_per_host = connections;
    limits.max_idle_per_host = connections;
    limits
}

fn in_all(connections: usize) -> PoolLimits {
    let mut limits = PoolLimits::default();
    limits.max_connections = Some(connections);
    limits
}

/// LIM-14
#[tokio::test(start_paused = true)]
async fn a_lowered_limit_kills_no_request_and_opens_nothing_until_there_are_fewer() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).response_head_timeout(None).build().unwrap();
    let mut held = Vec::new();
    for _ in 0..3 {
        let sent = send(&transport, get(A));
        let mut peer = accept(&listener).await;
        path(&mut peer).await;
        held.push((sent, peer));
    }
    transport.set_limits(&each(1)).unwrap();
    let waiting = send(&transport, get("http://a.test/waiting"));
    pass(secs(10)).await;
    let now = stats(&transport);
    assert_eq!((now.active, now.waiting, network.dials()), (3, 1, 3));
    let (sent, mut last) = held.pop().unwrap();
    for (sent, mut peer) in held {
        peer.respond("200 OK", "not killed").await.unwrap();
        assert_eq!(answer_to(sent).await.unwrap(), "not killed");
        peer.closed().await;
        settle().await;
        assert_eq!((stats(&transport).waiting, network.dials()), (1, 3));
    }
    assert_eq!(stats(&transport).closed.of(CloseReason::LimitLowered), 2);
    last.respond("200 OK", "not killed").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "not killed");
    assert_eq!(echo(&mut last).await, "/waiting");
    assert_eq!(answer_to(waiting).await.unwrap(), "/waiting");
    assert_eq!((network.dials(), network.open_connections()), (3, 1));
}

/// LIM-14
#[tokio::test(start_paused = true)]
async fn a_raised_limit_lets_those_who_wait_dial() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1);
    let transport = transport.build().unwrap();
    let mut sent: Vec<_> = (0..4).map(|_| send(&transport, get(A))).collect();
    let mut first = accept(&listener).await;
    path(&mut first).await;
    settle().await;
    assert_eq!((stats(&transport).waiting, network.dials()), (3, 1));
    transport.set_limits(&each(3)).unwrap();
    let mut peers = [accept(&listener).await, accept(&listener).await];
    for peer in &mut peers {
        path(peer).await;
    }
    settle().await;
    assert_eq!((stats(&transport).waiting, network.dials()), (1, 3));
    first.respond("200 OK", "").await.unwrap();
    drop(sent.drain(1..));
    answer_to(sent.remove(0)).await.unwrap();
}

/// LIM-14: the limit on all connections.
#[tokio::test(start_paused = true)]
async fn a_raised_limit_in_all_lets_the_next_in_line_dial() {
    let network = Network::new();
    let (a, b) = (network.listen("a.test:80"), network.listen("b.test:80"));
    let transport = over(&network).max_connections(Some(1)).build().unwrap();
    let _held = send(&transport, get(A));
    let mut peer = accept(&a).await;
    path(&mut peer).await;
    let waiting = send(&transport, get(B));
    settle().await;
    assert_eq!(network.dials(), 1);
    transport.set_limits(&in_all(2)).unwrap();
    echo(&mut accept(&b).await).await;
    answer_to(waiting).await.unwrap();
}

/// LIM-14, LIM-10: without one who waits, and for one who does.
#[tokio::test(start_paused = true)]
async fn a_lowered_limit_in_all_closes_what_idles_above_it() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let b = network.listen("b.test:80");
    let transport = over(&network).response_head_timeout(None).build().unwrap();
    transport.warm(&Origin::parse(A).unwrap(), 4).await.unwrap();
    let _held = [send(&transport, get(B)), send(&transport, get(B))];
    let mut peers = [accept(&b).await, accept(&b).await];
    for peer in &mut peers {
        path(peer).await;
    }
    settle().await;
    transport.set_limits(&in_all(4)).unwrap();
    settle().await;
    let now = stats(&transport);
    assert_eq!((now.active, now.idle), (2, 2));
    assert_eq!(now.closed.of(CloseReason::LimitLowered), 2);
    transport.set_limits(&in_all(6)).unwrap();
    transport.warm(&Origin::parse(A).unwrap(), 4).await.unwrap();
    // One of `b` waits, and the limit is lowered so that all that idle have to go for it but one.
    transport.set_limits(&in_all(4)).unwrap();
    let waiting = send(&transport, get("http://b.test/waiting"));
    let mut peer = accept(&b).await;
    assert_eq!(echo(&mut peer).await, "/waiting");
    answer_to(waiting).await.unwrap();
    fetch(&transport, get(A)).await.unwrap();
    settle().await;
    assert_eq!(network.open_connections(), 4);
}

/// LIM-13
#[tokio::test(start_paused = true)]
async fn absurd_limits_are_refused_and_change_nothing() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let transport = over(&network).build().unwrap();
    for limits in [each(0), in_all(0)] {
        let error = transport.set_limits(&limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    fetch(&transport, get(A)).await.unwrap();
}

/// LIM-14
#[tokio::test(start_paused = true)]
async fn an_origin_may_have_a_limit_of_its_own_that_outlasts_a_change_of_the_others() {
    let network = Network::new();
    let one = network.listen("a.test:80");
    let other = network.listen("b.test:80");
    let transport = over(&network).response_head_timeout(None).build().unwrap();
    let service = transport.origin(&Origin::parse(A).unwrap());
    service.set_max_connections(NonZeroUsize::new(1));
    transport.set_limits(&each(2)).unwrap();
    let mut held = Vec::new();
    for url in [A, A, B, B, B] {
        held.push(send(&transport, get(url)));
        settle().await;
    }
    assert_eq!((network.dials(), stats(&transport).waiting), (3, 2));

    // Without it, what holds for all holds here too.
    service.set_max_connections(None);
    settle().await;
    assert_eq!((network.dials(), stats(&transport).waiting), (4, 1));
    drop((one, other, held));
}
