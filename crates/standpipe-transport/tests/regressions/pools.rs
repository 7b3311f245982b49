//! Of pools and their permits.

use standpipe_test::memory::Network;

use crate::scripted::Scripted;
use crate::support::{
    A, Polled, accept, answer_to, echo, echoing, fetch, get, over, send, settle, stats, until,
};

/// ephpm #221: the permit stayed with the idle connection, so a pool full of idle ones deadlocked.
#[tokio::test(start_paused = true)]
async fn idle_connections_of_others_never_keep_a_request_waiting() {
    let network = Network::new();
    let hosts = ["a.test", "b.test", "c.test", "d.test"];
    let _servers = hosts.map(|host| echoing().start_on(network.listen(&format!("{host}:80"))));
    let transport = over(&network).max_connections(Some(2)).build().unwrap();
    for _ in 0..10 {
        for host in hosts {
            let url = format!("http://{host}/");
            assert_eq!(fetch(&transport, get(&url)).await.unwrap(), "/");
        }
    }
    assert!(network.peak_connections() <= 2);
}

/// mongo-java-driver #699: a connection was returned twice, and two requests had it at once.
#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_in_two_ways_at_once_is_given_back_once() {
    let scripted = Scripted::new();
    for _ in 0..50 {
        let mut first = Polled::waiting(&scripted.transport, get(A));
        let mut peer = accept(&scripted.listener).await;
        settle().await;
        assert!(first.poll().is_none());
        peer.read_head().await.unwrap();
        // Answered, closed and dropped between two polls.
        peer.respond("200 OK", "x").await.unwrap();
        drop(peer);
        settle().await;
        drop(first);
        settle().await;
        let now = stats(&scripted.transport);
        assert_eq!((now.active, now.idle, now.waiting), (0, 0, 0));
        assert_eq!(scripted.network.open_connections(), 0);
    }
    let (one, two) = (
        send(&scripted.transport, get("http://a.test/one")),
        send(&scripted.transport, get("http://a.test/two")),
    );
    let mut peer = accept(&scripted.listener).await;
    assert_eq!(echo(&mut peer).await, "/one");
    assert_eq!(echo(&mut peer).await, "/two");
    assert_eq!(answer_to(one).await.unwrap(), "/one");
    assert_eq!(answer_to(two).await.unwrap(), "/two");
    assert_eq!(scripted.network.peak_connections(), 1);
}

/// tower #408 and #434, linkerd2-proxy #751: readiness that was never used held a permit.
#[tokio::test(start_paused = true)]
async fn readiness_and_futures_that_are_never_polled_hold_no_permit() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let transport = over(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .build()
        .unwrap();
    let unpolled: Vec<_> = (0..100).map(|_| Polled::new(&transport, get(A))).collect();
    settle().await;
    drop(unpolled);
    until(|| stats(&transport).waiting == 0).await;
    assert_eq!(fetch(&transport, get(A)).await.unwrap(), "/");
}

/// tower #71: a request that was cancelled in the queue was sent all the same.
#[tokio::test(start_paused = true)]
async fn a_request_cancelled_in_the_queue_is_never_sent() {
    let scripted = Scripted::new();
    let mut begun = scripted.begin(get("http://a.test/first")).await;
    let cancelled: Vec<_> = (0..10)
        .map(|_| send(&scripted.transport, get("http://a.test/cancelled")))
        .collect();
    let last = send(&scripted.transport, get("http://a.test/last"));
    settle().await;
    cancelled.iter().for_each(tokio::task::JoinHandle::abort);
    begun.peer.respond("200 OK", "first").await.unwrap();
    let (response, mut peer) = begun.head().await;
    crate::support::read(response).await.unwrap();
    assert_eq!(echo(&mut peer).await, "/last");
    assert_eq!(answer_to(last).await.unwrap(), "/last");
}
