//! Connections opened ahead of the requests for them: `warm` and `min_idle`.

use std::io;

use standpipe_core::{ErrorKind, Origin};
use standpipe_test::memory::Network;
use standpipe_transport::CloseReason;

use crate::support::{
    A, B, accept, answer_to, echo, echoing, fetch, get, over, over_http2, pass, path, secs, send,
    settle, stats, until,
};

fn a() -> Origin {
    Origin::parse(A).unwrap()
}

/// `warm` opens as many as are missing.
#[tokio::test(start_paused = true)]
async fn warm_opens_what_is_missing_and_no_request_dials() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let transport = over(&network).build().unwrap();
    fetch(&transport, get(A)).await.unwrap();
    assert_eq!(transport.warm(&a(), 3).await.unwrap(), 3);
    assert_eq!((stats(&transport).idle, network.dials()), (3, 3));
    assert_eq!(transport.warm(&a(), 2).await.unwrap(), 3);
    let sent: Vec<_> = (0..3).map(|_| send(&transport, get(A))).collect();
    for sent in sent {
        answer_to(sent).await.unwrap();
    }
    assert_eq!((network.dials(), stats(&transport).waited), (3, 1));
    assert_eq!(transport.warm(&a(), 0).await.unwrap(), 3);
}

/// RES-03
#[tokio::test(start_paused = true)]
async fn warm_goes_beyond_no_limit_and_closes_nothing_for_itself() {
    let network = Network::new();
    let _servers = ["a.test:80", "b.test:80"].map(|host| echoing().start_on(network.listen(host)));
    let each = over(&network)
        .max_connections_per_host(2)
        .max_idle_per_host(2);
    assert_eq!(each.build().unwrap().warm(&a(), 5).await.unwrap(), 2);
    let idle = over(&network).max_idle_per_host(3);
    assert_eq!(idle.build().unwrap().warm(&a(), 5).await.unwrap(), 3);
    let all = over(&network).max_connections(Some(3)).build().unwrap();
    fetch(&all, get(B)).await.unwrap();
    assert_eq!(all.warm(&a(), 5).await.unwrap(), 2);
    assert_eq!(stats(&all).closed.total(), 0);
}

/// Those that are about to close, though their IO is not gone yet, are none that are there.
#[tokio::test(start_paused = true)]
async fn warm_counts_no_connection_that_closes() {
    for http2 in [false, true] {
        let network = Network::new();
        let listener = network.listen("a.test:80");
        let (server, transport) = match http2 {
            false => (echoing(), over(&network)),
            true => (echoing().http2(), over_http2(&network)),
        };
        let _server = server.start_on(listener);
        let transport = transport.build().unwrap();
        fetch(&transport, get(A)).await.unwrap();
        transport.close_idle();
        let dials = network.dials();
        assert_eq!(transport.warm(&a(), 1).await.unwrap(), 1);
        assert_eq!((stats(&transport).idle, network.dials() - dials), (1, 1));
    }
}

/// The error is that of the dial, and what was opened stays.
#[tokio::test(start_paused = true)]
async fn warm_gives_the_error_of_a_dial_that_failed() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let transport = over(&network).build().unwrap();
    network.fail_next_dials(1, io::ErrorKind::ConnectionRefused);
    let error = transport.warm(&a(), 3).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(error.origin(), Some(&a()));
    settle().await;
    let now = stats(&transport);
    assert_eq!((now.idle, now.dialing, now.dial_failures), (2, 0, 1));
}

/// Dropped, it leaves its dials to whoever comes.
#[tokio::test(start_paused = true)]
async fn a_dropped_warm_leaks_nothing() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let hold = network.hold_dials();
    let transport = over(&network)
        .max_connections_per_host(2)
        .max_idle_per_host(2);
    let transport = transport.build().unwrap();
    let warm = tokio::spawn(transport.warm(&a(), 2));
    hold.arrived(2).await;
    warm.abort();
    settle().await;
    assert_eq!(stats(&transport).dialing, 2);
    drop(hold);
    until(|| stats(&transport).idle == 2).await;
    assert_eq!(network.dials(), 2);
    drop(transport);
    settle().await;
    assert_eq!(network.open_connections(), 0);
}

/// A shared connection counts as one.
#[tokio::test(start_paused = true)]
async fn warm_counts_an_http2_connection_as_one() {
    let network = Network::new();
    let _server = echoing().http2().start_on(network.listen("a.test:80"));
    let transport = over_http2(&network).build().unwrap();
    assert_eq!(transport.warm(&a(), 1).await.unwrap(), 1);
    for _ in 0..3 {
        fetch(&transport, get(A)).await.unwrap();
    }
    assert_eq!(network.dials(), 1);
    assert_eq!(transport.warm(&a(), 2).await.unwrap(), 2);
    assert_eq!(network.dials(), 2);
}

/// A peer that closes what was opened is not dialled for ever.
#[tokio::test(start_paused = true)]
async fn warm_ends_where_the_server_closes_at_once() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let closing = tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    let _ = transport.warm(&a(), 3).await;
    pass(secs(60)).await;
    assert!(network.dials() <= 3, "{} dials", network.dials());
    closing.abort();
}

/// The number is reached with the first request, and kept.
#[tokio::test(start_paused = true)]
async fn min_idle_is_reached_with_the_first_request_and_spared_by_the_idle_timeout() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let transport = over(&network).min_idle(2).idle_timeout(Some(secs(10)));
    let transport = transport.build().unwrap();
    fetch(&transport, get(A)).await.unwrap();
    until(|| stats(&transport).idle == 2).await;
    assert_eq!(transport.warm(&a(), 4).await.unwrap(), 4);
    for _ in 0..60 {
        pass(secs(1)).await;
    }
    assert_eq!((stats(&transport).idle, network.dials()), (2, 4));
    assert_eq!(stats(&transport).closed.of(CloseReason::IdleTimeout), 2);
}

/// One that was used and ends is replaced.
#[tokio::test(start_paused = true)]
async fn min_idle_replaces_a_used_connection_that_ends() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).min_idle(1).build().unwrap();
    for dials in 1..4 {
        let sent = send(&transport, get(A));
        let mut peer = accept(&listener).await;
        echo(&mut peer).await;
        answer_to(sent).await.unwrap();
        assert_eq!(network.dials(), dials);
        peer.close().await.unwrap();
        until(|| network.dials() == dials + 1).await;
        settle().await;
        assert_eq!(stats(&transport).idle, 1);
    }
}

/// RES-03
#[tokio::test(start_paused = true)]
async fn min_idle_goes_beyond_no_limit() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let listener = network.listen("b.test:80");
    let transport = over(&network).min_idle(3).max_connections(Some(2));
    let transport = transport.build().unwrap();
    let held = send(&transport, get(B));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    settle().await;
    transport.close_idle();
    settle().await;
    fetch(&transport, get(A)).await.unwrap();
    pass(secs(1)).await;
    assert_eq!(network.peak_connections(), 2);
    let now = stats(&transport);
    assert_eq!((now.active, now.idle, now.waiting), (1, 1, 0));
    peer.respond("200 OK", "").await.unwrap();
    answer_to(held).await.unwrap();
}

/// A dial of this kind that fails is tried again only when a connection opens or ends next.
#[tokio::test(start_paused = true)]
async fn min_idle_does_not_dial_in_a_loop_where_dials_fail() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let hold = network.hold_dials();
    let transport = over(&network).min_idle(3).build().unwrap();
    let sent = send(&transport, get(A));
    hold.release(1);
    answer_to(sent).await.unwrap();
    network.fail_next_dials(1000, io::ErrorKind::ConnectionRefused);
    drop(hold);
    for _ in 0..60 {
        pass(secs(1)).await;
    }
    assert_eq!((network.dials(), stats(&transport).dial_failures), (3, 2));
}

/// One that was never used is not replaced.
#[tokio::test(start_paused = true)]
async fn min_idle_does_not_dial_in_a_loop_where_the_server_closes_at_once() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).min_idle(2).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    let closing = tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    echo(&mut peer).await;
    answer_to(sent).await.unwrap();
    for _ in 0..60 {
        pass(secs(1)).await;
    }
    assert!(network.dials() <= 3, "{} dials", network.dials());
    closing.abort();
}
