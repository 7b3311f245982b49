//! Connections opened ahead of the requests for them: `warm` and `min_idle`.

use std::io;

use standpipe_core::{ErrorKind, Origin};
use standpipe_test::memory::Network;
use standpipe_transport::{CloseReason, Transport};
use tokio::task::JoinHandle;

use crate::support::{
    A, B, accept, answer_to, echo, echoing, echoing_by, fetch, get, over, pass, secs, send, settle,
    stats,
};

fn a() -> Origin {
    Origin::parse(A).unwrap()
}

fn warming(transport: &Transport, n: usize) -> JoinHandle<Result<usize, standpipe_core::Error>> {
    tokio::spawn(transport.warm(&a(), n))
}

#[tokio::test(start_paused = true)]
async fn as_many_connections_are_there_as_were_asked_for_and_serve() {
    for http2 in [false, true] {
        let network = Network::new();
        let (server, transport) = echoing_by(http2, &network);
        let _server = server.start_on(network.listen("a.test:80"));
        let transport = transport.build().unwrap();
        assert_eq!(transport.warm(&a(), 3).await.unwrap(), 3);
        assert_eq!((network.dials(), stats(&transport).idle), (3, 3));
        // What is there counts.
        assert_eq!(transport.warm(&a(), 2).await.unwrap(), 3);
        assert_eq!(transport.warm(&a(), 4).await.unwrap(), 4);
        let sent = [(); 4].map(|()| send(&transport, get(A)));
        for sent in sent {
            answer_to(sent).await.unwrap();
        }
        assert_eq!(network.dials(), 4);
        assert_eq!(stats(&transport).waited, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn no_limit_is_exceeded_by_it_and_nothing_closed_for_it() {
    let network = Network::new();
    let _a = echoing().start_on(network.listen("a.test:80"));
    let _b = echoing().start_on(network.listen("b.test:80"));
    let cases = [
        (
            over(&network)
                .max_connections_per_host(3)
                .max_idle_per_host(3),
            3,
        ),
        (over(&network).max_idle_per_host(2), 2),
        (over(&network).max_idle_per_host(0), 0),
        (over(&network).max_connections(Some(4)), 3),
    ];
    for (builder, expected) in cases {
        let transport = builder.build().unwrap();
        fetch(&transport, get(B)).await.unwrap();
        settle().await;
        let warm = tokio::time::timeout(secs(60), transport.warm(&a(), 9)).await;
        assert_eq!(warm.unwrap().unwrap(), expected);
        settle().await;
        let of_a = stats(&transport).idle;
        let of_b = usize::from(expected > 0);
        assert_eq!(of_a, expected + of_b);
        assert_eq!(stats(&transport).closed.of(CloseReason::Yielded), 0);
        drop(transport);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_fails_is_its_error_and_fails_nobody_who_waits() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).max_connections_per_host(1);
    let transport = transport.max_idle_per_host(1).build().unwrap();
    let hold = network.hold_dials();
    let warm = warming(&transport, 2);
    hold.arrived(1).await;
    let waiter = send(&transport, get(A));
    settle().await;
    assert_eq!(network.dials(), 1);
    network.fail_next_dials(1, io::ErrorKind::ConnectionRefused);
    drop(hold);
    let error = warm.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(error.origin(), Some(&a()));
    echo(&mut accept(&listener).await).await;
    answer_to(waiter).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_what_is_opened_is_not_dialled_for_ever() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    let transport = over(&network).build().unwrap();
    let warm = tokio::time::timeout(secs(60), transport.warm(&a(), 5)).await;
    let _ = warm.expect("it ends");
    assert!(network.dials() <= 5, "{}", network.dials());
}

#[tokio::test(start_paused = true)]
async fn dropped_it_leaves_its_dials_to_others_and_nothing_else() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let hold = network.hold_dials();
    drop(transport.warm(&a(), 3));
    let warm = warming(&transport, 3);
    hold.arrived(3).await;
    let sent = send(&transport, get(A));
    warm.abort();
    settle().await;
    drop(hold);
    let mut peers = [
        accept(&listener).await,
        accept(&listener).await,
        accept(&listener).await,
    ];
    // A waiter takes what a dial begun for nobody has opened.
    settle().await;
    assert_eq!(stats(&transport).waiting, 0);
    for peer in &mut peers {
        tokio::select! {
            biased;
            _ = echo(peer) => {}
            () = settle() => {}
        }
    }
    answer_to(sent).await.unwrap();
    settle().await;
    assert_eq!((network.dials(), stats(&transport).idle), (3, 3));
    drop(transport);
    settle().await;
    assert_eq!(network.open_connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_it() {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let hold = network.hold_dials();
    let warm = warming(&transport, 3);
    hold.arrived(3).await;
    assert!(transport.shutdown(secs(5)).await.complete);
    assert_eq!(warm.await.unwrap().unwrap_err().kind(), ErrorKind::Shutdown);
    let refused = transport.warm(&a(), 1).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Shutdown);
}

// ---- the least number of connections ----

#[tokio::test(start_paused = true)]
async fn the_first_request_has_as_many_opened_as_are_to_be_kept() {
    for http2 in [false, true] {
        let network = Network::new();
        let (server, transport) = echoing_by(http2, &network);
        let _server = server.start_on(network.listen("a.test:80"));
        let transport = transport.min_idle(3).build().unwrap();
        settle().await;
        assert_eq!(network.dials(), 0, "nothing before the first request");
        fetch(&transport, get(A)).await.unwrap();
        settle().await;
        assert_eq!((network.dials(), stats(&transport).idle), (3, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn the_idle_timeout_spares_the_last_of_them() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .min_idle(2)
        .idle_timeout(Some(secs(10)))
        .build()
        .unwrap();
    let sent = [(); 4].map(|()| send(&transport, get(A)));
    let mut peers = Vec::new();
    for _ in 0..4 {
        let mut peer = accept(&listener).await;
        echo(&mut peer).await;
        peers.push(peer);
    }
    for sent in sent {
        answer_to(sent).await.unwrap();
    }
    settle().await;
    assert_eq!(stats(&transport).idle, 4);
    for _ in 0..10 {
        pass(secs(10)).await;
        assert_eq!(stats(&transport).idle, 2);
    }
    assert_eq!(network.dials(), 4);
}

/// One that was used is replaced, one that was not is not: else a server that closes what idles would be
/// dialled for ever.
#[tokio::test(start_paused = true)]
async fn those_that_were_used_and_end_are_replaced_once() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).min_idle(2).build().unwrap();
    let sent = send(&transport, get(A));
    let mut used = accept(&listener).await;
    echo(&mut used).await;
    answer_to(sent).await.unwrap();
    let unused = accept(&listener).await;
    settle().await;
    assert_eq!(network.dials(), 2);
    used.close().await.unwrap();
    let third = accept(&listener).await;
    settle().await;
    assert_eq!((network.dials(), stats(&transport).idle), (3, 2));
    unused.close().await.unwrap();
    third.close().await.unwrap();
    settle().await;
    pass(secs(1000)).await;
    assert_eq!((network.dials(), stats(&transport).idle), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dial_ahead_that_fails_is_not_repeated_until_something_happens() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).min_idle(2).build().unwrap();
    let hold = network.hold_dials();
    let sent = send(&transport, get(A));
    hold.arrived(1).await;
    hold.release(1);
    let mut peer = accept(&listener).await;
    hold.arrived(1).await;
    network.fail_next_dials(1, io::ErrorKind::ConnectionRefused);
    drop(hold);
    echo(&mut peer).await;
    answer_to(sent).await.unwrap();
    pass(secs(60)).await;
    assert_eq!(network.dials(), 2);
    assert_eq!(stats(&transport).dial_failures, 1);
    peer.close().await.unwrap();
    let _other = accept(&listener).await;
    let _second = accept(&listener).await;
    settle().await;
    assert_eq!(network.dials(), 4);
}

/// Two origins that share one permit do not close each other's connections for this.
#[tokio::test(start_paused = true)]
async fn the_least_number_takes_nothing_from_another_origin() {
    let network = Network::new();
    let _a = echoing().start_on(network.listen("a.test:80"));
    let _b = echoing().start_on(network.listen("b.test:80"));
    let transport = over(&network)
        .min_idle(2)
        .max_connections(Some(3))
        .build()
        .unwrap();
    fetch(&transport, get(A)).await.unwrap();
    fetch(&transport, get(B)).await.unwrap();
    pass(secs(10)).await;
    assert_eq!((network.dials(), stats(&transport).idle), (3, 3));
    for url in [A, B, A, B] {
        fetch(&transport, get(url)).await.unwrap();
    }
    assert_eq!(network.dials(), 3);
    let listener = network.listen("c.test:80");
    let third = send(&transport, get("http://c.test/"));
    let mut peer = accept(&listener).await;
    echo(&mut peer).await;
    answer_to(third).await.unwrap();
    pass(secs(10)).await;
    assert_eq!(network.dials(), 4, "evicted, and not opened again");
}
