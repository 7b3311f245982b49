//! How many streams a connection takes, and what becomes of the rest.

use standpipe_core::ErrorKind;
use standpipe_test::Ca;
use standpipe_test::h2peer::setting::MAX_CONCURRENT_STREAMS;
use standpipe_test::memory::Network;

use crate::support::{
    A, B, answer_to, echoing, failure_of, fetch, get, over, over_http2, secs, send, settle, stats,
    trusting, until,
};
use crate::wire::{Peer, Wire};

fn at_most(n: u32) -> [(u16, u32); 1] {
    [(MAX_CONCURRENT_STREAMS, n)]
}

/// Nothing more comes from the client for now.
async fn assert_silent(peer: &mut Peer) {
    let next = tokio::time::timeout(secs(1), peer.request()).await;
    next.expect_err("no request is expected");
}

/// H2-01
#[tokio::test(start_paused = true)]
async fn requests_at_once_wait_for_the_one_connection_and_share_it() {
    let wire = Wire::new();
    let sent: Vec<_> = (0..50).map(|_| wire.get()).collect();
    let mut peer = wire.accept(&at_most(100)).await;
    for _ in 0..50 {
        let stream = peer.request().await.unwrap();
        peer.respond(stream, "shared").await.unwrap();
    }
    for sent in sent {
        assert_eq!(answer_to(sent).await.unwrap(), "shared");
    }
    assert_eq!(wire.network.dials(), 1);
}

/// H2-11
#[tokio::test(start_paused = true)]
async fn a_full_connection_calls_for_another_up_to_the_limit_and_then_for_waiting() {
    let wire = Wire::new();
    let mut first = wire.used(&at_most(2)).await;
    let sent: Vec<_> = (0..5).map(|_| wire.get()).collect();
    let mut streams = vec![
        first.request().await.unwrap(),
        first.request().await.unwrap(),
    ];
    assert_silent(&mut first).await;
    let mut second = wire.accept(&at_most(2)).await;
    let others = [
        second.request().await.unwrap(),
        second.request().await.unwrap(),
    ];
    assert_silent(&mut second).await;
    let now = stats(&wire.transport);
    assert_eq!((now.active, now.streams, now.waiting), (2, 4, 1));
    first.respond(streams.remove(0), "answer").await.unwrap();
    streams.push(first.request().await.unwrap());
    for stream in streams {
        first.respond(stream, "answer").await.unwrap();
    }
    for stream in others {
        second.respond(stream, "answer").await.unwrap();
    }
    for sent in sent {
        assert_eq!(answer_to(sent).await.unwrap(), "answer");
    }
    assert_eq!(wire.network.dials(), 2);
}

/// H2-12
#[tokio::test(start_paused = true)]
async fn a_limit_lowered_to_none_sends_the_next_request_elsewhere() {
    let wire = Wire::new();
    let (mut peer, requests) = wire.busy(2).await;
    peer.settings(&at_most(0)).await.unwrap();
    settle().await;
    wire.assert_goes_elsewhere().await;
    for (stream, sent) in requests {
        peer.respond(stream, "begun before").await.unwrap();
        assert_eq!(answer_to(sent).await.unwrap(), "begun before");
    }
}

/// H2-12
#[tokio::test(start_paused = true)]
async fn a_limit_of_none_on_the_only_connection_ends_in_the_acquire_timeout() {
    let wire = Wire::with(|b| {
        b.max_connections_per_host(1)
            .max_idle_per_host(1)
            .acquire_timeout(Some(secs(5)))
    });
    let mut peer = wire.used(&[]).await;
    peer.settings(&at_most(0)).await.unwrap();
    settle().await;
    let sent: Vec<_> = (0..3).map(|_| wire.get()).collect();
    for sent in sent {
        let error = failure_of(sent).await;
        let timed_out = matches!(error.kind(), ErrorKind::AcquireTimeout { .. });
        assert!(timed_out, "{error:?}");
    }
    assert_eq!(stats(&wire.transport).waiting, 0);
}

/// H2-12, H2-13: it is not wedged for good.
#[tokio::test(start_paused = true)]
async fn a_limit_raised_from_none_serves_those_who_wait_in_their_order() {
    let wire = Wire::with(|b| b.max_connections_per_host(1).max_idle_per_host(1));
    let mut peer = wire.used(&[]).await;
    peer.settings(&at_most(0)).await.unwrap();
    settle().await;
    let (first, second) = (wire.get(), wire.get());
    assert_silent(&mut peer).await;
    peer.settings(&at_most(1)).await.unwrap();
    let stream = peer.request().await.unwrap();
    assert_silent(&mut peer).await;
    peer.respond(stream, "one").await.unwrap();
    assert_eq!(answer_to(first).await.unwrap(), "one");
    let stream = peer.request().await.unwrap();
    peer.respond(stream, "two").await.unwrap();
    assert_eq!(answer_to(second).await.unwrap(), "two");
    assert_eq!(wire.network.dials(), 1);
}

/// H2-12: a connection that allows none from the start is not waited for, and dials do not pile up.
#[tokio::test(start_paused = true)]
async fn a_server_that_never_allows_a_stream_is_an_error_in_the_end() {
    let wire = Wire::with(|b| b.acquire_timeout(Some(secs(30))));
    let sent: Vec<_> = (0..4).map(|_| wire.get()).collect();
    let one = wire.accept(&at_most(0)).await;
    for sent in sent {
        let error = failure_of(sent).await;
        assert!(error.is_timeout(), "{error:?}");
    }
    assert!(wire.network.dials() <= 2);
    drop(one);
}

/// H2-13
#[tokio::test(start_paused = true)]
async fn a_limit_that_is_raised_wakes_those_who_wait() {
    let wire = Wire::with(|b| b.max_connections_per_host(1).max_idle_per_host(1));
    let mut peer = wire.used(&at_most(1)).await;
    let sent: Vec<_> = (0..3).map(|_| wire.get()).collect();
    let mut streams = vec![peer.request().await.unwrap()];
    assert_silent(&mut peer).await;
    peer.settings(&at_most(3)).await.unwrap();
    streams.push(peer.request().await.unwrap());
    streams.push(peer.request().await.unwrap());
    for stream in streams {
        peer.respond(stream, "answer").await.unwrap();
    }
    for sent in sent {
        answer_to(sent).await.unwrap();
    }
}

/// H2-26
#[tokio::test(start_paused = true)]
async fn two_names_never_share_a_connection() {
    let network = Network::new();
    let _a = echoing().http2().start_on(network.listen("a.test:80"));
    let _b = echoing().http2().start_on(network.listen("b.test:80"));
    let transport = over_http2(&network).build().unwrap();
    for url in [A, B, A, B] {
        fetch(&transport, get(url)).await.unwrap();
    }
    assert_eq!(network.dials(), 2);
}

/// H2-26: not even where one certificate covers both.
#[tokio::test(start_paused = true)]
async fn two_names_of_one_certificate_never_share_a_connection() {
    let (network, ca) = (Network::new(), Ca::new());
    let tls = ca.server_config(&["a.test", "b.test"], &[b"h2"]);
    let servers = ["a.test:443", "b.test:443"]
        .map(|at| echoing().tls(tls.clone()).start_on(network.listen(at)));
    let transport = over(&network).tls(trusting(&ca)).build().unwrap();
    for url in ["https://a.test/", "https://b.test/", "https://a.test/"] {
        fetch(&transport, get(url)).await.unwrap();
    }
    let seen = servers.map(|server| server.stats().requests);
    assert_eq!((network.dials(), seen), (2, [2, 1]));
}

/// H2-28
#[tokio::test(start_paused = true)]
async fn a_connection_is_replaced_silently_after_as_many_requests_as_it_may_carry() {
    for at_once in [false, true] {
        let network = Network::new();
        let server = echoing().http2().start_on(network.listen("a.test:80"));
        let transport = over_http2(&network).max_requests_per_connection(Some(3));
        let transport = transport.build().unwrap();
        if at_once {
            let sent: Vec<_> = (0..7).map(|_| send(&transport, get(A))).collect();
            for sent in sent {
                answer_to(sent).await.unwrap();
            }
        } else {
            for _ in 0..7 {
                fetch(&transport, get(A)).await.unwrap();
            }
        }
        let seen = server.stats();
        assert_eq!(seen.requests, 7);
        assert!(
            seen.requests_per_connection.iter().all(|n| *n <= 3),
            "{seen:?}"
        );
        until(|| network.open_connections() <= 1).await;
    }
}
