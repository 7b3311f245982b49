//! Selected: the request has a lease, and nothing of it was sent.

use standpipe_test::memory::Network;

use crate::support::{
    A, Polled, accept, answer_to, echo, echoing, fetch, get, over, over_http2, send, settle, stats,
};

/// CAN-06
#[tokio::test(start_paused = true)]
async fn a_future_dropped_before_its_first_poll_leaves_the_limits_free() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let transport = over(&network).max_idle_per_host(1);
    let transport = transport.max_connections_per_host(1).build().unwrap();
    // Without a connection, with one that idles, and in the queue behind a request.
    drop(Polled::new(&transport, get(A)));
    fetch(&transport, get(A)).await.unwrap();
    drop(Polled::new(&transport, get(A)));
    settle().await;
    let busy = Polled::new(&transport, get(A));
    drop(Polled::new(&transport, get(A)));
    drop(busy);
    settle().await;
    let now = stats(&transport);
    assert_eq!((now.active, now.dialing, now.waiting), (0, 0, 0));
    assert_eq!(fetch(&transport, get(A)).await.unwrap(), "/");
}

/// CAN-06
#[tokio::test(start_paused = true)]
async fn a_future_dropped_before_its_first_poll_leaves_an_http2_connection_as_it_was() {
    let network = Network::new();
    let server = echoing().http2().start_on(network.listen("a.test:80"));
    let transport = over_http2(&network).build().unwrap();
    fetch(&transport, get(A)).await.unwrap();
    for _ in 0..500 {
        drop(Polled::new(&transport, get(A)));
    }
    settle().await;
    let now = stats(&transport);
    assert_eq!((now.active, now.idle, now.streams), (0, 1, 0));
    assert_eq!(fetch(&transport, get(A)).await.unwrap(), "/");
    assert_eq!(server.stats().requests, 2, "none of them was sent");
    assert_eq!(stats(&transport).created, 1);
}

/// The request is the future's until it is polled: nothing is written meanwhile that a dropped one
/// could not take back.
#[tokio::test(start_paused = true)]
async fn a_request_dropped_at_once_is_never_written() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let first = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    echo(&mut peer).await;
    answer_to(first).await.unwrap();
    settle().await;
    drop(Polled::new(&transport, get("http://a.test/dropped")));
    settle().await;
    // Whether the connection was kept or closed, it carried nothing of the request.
    drop(transport);
    peer.closed().await;
    assert_eq!(peer.surplus(), b"");
}
