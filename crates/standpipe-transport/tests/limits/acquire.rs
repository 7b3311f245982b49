//! How long a request may wait for a connection.

use std::time::Duration;

use standpipe_core::{Error, ErrorKind, Origin, Phase, RequestSent};
use standpipe_test::memory::Network;
use standpipe_transport::Transport;
use tokio::time::Instant;

use crate::support::{
    A, B, Polled, accept, answer_to, echo, failure_of, get, over, pass, path, secs, send, settle,
    stats,
};

#[track_caller]
fn assert_waited(error: &Error, waited: Duration, in_use: usize, limit: usize) {
    let kind = ErrorKind::AcquireTimeout {
        waited,
        in_use,
        limit,
    };
    assert_eq!(error.kind(), kind);
    assert_eq!(error.phase(), Some(Phase::Acquire));
    assert_eq!(error.request_sent(), RequestSent::No);
}

fn two_each(network: &Network) -> Transport {
    over(network)
        .max_connections_per_host(2)
        .max_idle_per_host(2)
        .acquire_timeout(Some(secs(5)))
        .response_head_timeout(None)
        .build()
        .unwrap()
}

/// LIM-11
#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_exactly_the_time_set_and_tells_what_was_in_use() {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let transport = two_each(&network);
    let _held = [send(&transport, get(A)), send(&transport, get(A))];
    settle().await;
    let begun = Instant::now();
    let waiting = send(&transport, get(A));
    pass(Duration::from_millis(4_999)).await;
    assert!(!waiting.is_finished());
    pass(Duration::from_millis(1)).await;
    assert!(waiting.is_finished());
    assert_waited(&failure_of(waiting).await, secs(5), 2, 2);
    assert_eq!(begun.elapsed(), secs(5));
    let now = stats(&transport);
    assert_eq!((now.active, now.waiting), (2, 0));
}

/// LIM-11
#[tokio::test(start_paused = true)]
async fn nobody_elses_place_is_lost_by_it() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = two_each(&network);
    let held = [send(&transport, get(A)), send(&transport, get(A))];
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    settle().await;
    let late = send(&transport, get("http://a.test/late"));
    pass(secs(3)).await;
    let second = send(&transport, get("http://a.test/second"));
    pass(secs(1)).await;
    let third = send(&transport, get("http://a.test/third"));
    pass(secs(1)).await;
    assert_waited(&failure_of(late).await, secs(5), 2, 2);
    assert_eq!(stats(&transport).waiting, 2);
    peer.respond("200 OK", "held").await.unwrap();
    assert_eq!(echo(&mut peer).await, "/second");
    assert_eq!(echo(&mut peer).await, "/third");
    answer_to(second).await.unwrap();
    answer_to(third).await.unwrap();
    drop(held);
}

/// LIM-11: the limit named is the one that kept the request waiting.
#[tokio::test(start_paused = true)]
async fn the_limit_in_all_is_named_where_that_was_it() {
    let network = Network::new();
    let _listeners = [network.listen("a.test:80"), network.listen("b.test:80")];
    let transport = over(&network)
        .max_connections(Some(3))
        .acquire_timeout(Some(secs(5)))
        .build()
        .unwrap();
    let _held = [(); 3].map(|()| send(&transport, get(A)));
    settle().await;
    assert_waited(&failure_of(send(&transport, get(B))).await, secs(5), 3, 3);
}

/// LIM-11
#[tokio::test(start_paused = true)]
async fn a_timeout_of_zero_takes_a_connection_only_if_one_is_free_now() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .acquire_timeout(Some(Duration::ZERO))
        .build()
        .unwrap();
    let begun = Instant::now();
    let none_yet = failure_of(send(&transport, get(A))).await;
    assert!(matches!(none_yet.kind(), ErrorKind::AcquireTimeout { .. }));
    // It began no dial: connections come from `warm` alone.
    assert_eq!(stats(&transport).dialing, 0);
    let warm = transport.warm(&Origin::parse(A).unwrap(), 1);
    let (warm, mut peer) = tokio::join!(warm, accept(&listener));
    assert_eq!(warm.unwrap(), 1);
    let held = send(&transport, get(A));
    path(&mut peer).await;
    assert_waited(
        &failure_of(send(&transport, get(A))).await,
        Duration::ZERO,
        1,
        1,
    );
    peer.respond("200 OK", "held").await.unwrap();
    answer_to(held).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

/// CAN-17: a grant that came before the clock rang counts, however late it is looked at.
#[tokio::test(start_paused = true)]
async fn a_connection_granted_in_time_is_used_though_the_clock_has_rung_since() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .acquire_timeout(Some(secs(5)))
        .build()
        .unwrap();
    let held = send(&transport, get("http://a.test/held"));
    let mut peer = accept(&listener).await;
    let mut waiter = Polled::waiting(&transport, get("http://a.test/waiter"));
    echo(&mut peer).await;
    answer_to(held).await.unwrap();
    pass(secs(6)).await;
    assert!(waiter.poll().is_none());
    echo(&mut peer).await;
    settle().await;
    waiter.poll().unwrap().unwrap();
}
