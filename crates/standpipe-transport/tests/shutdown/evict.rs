//! Connections that the user closes: `evict`, `close_idle` and `close_idle_of`.

use standpipe_core::Origin;
use standpipe_test::memory::Network;
use standpipe_transport::CloseReason;

use crate::support::{
    A, B, accept, answer_to, echo, echoing, fetch, get, over, over_http2, path, send, settle, stats,
};

fn origin(url: &str) -> Origin {
    Origin::parse(url).unwrap()
}

/// An eviction closes what idles now.
#[tokio::test(start_paused = true)]
async fn an_evicted_idle_connection_closes_now_and_others_stay() {
    let network = Network::new();
    let _servers = ["a.test:80", "b.test:80"].map(|host| echoing().start_on(network.listen(host)));
    let transport = over(&network).build().unwrap();
    fetch(&transport, get(A)).await.unwrap();
    fetch(&transport, get(B)).await.unwrap();
    assert_eq!(transport.evict(&origin(A)), 1);
    settle().await;
    assert_eq!(network.open_connections(), 1);
    assert_eq!(stats(&transport).closed.of(CloseReason::Evicted), 1);
    assert_eq!(transport.evict(&origin(A)), 0);
    assert_eq!(transport.evict(&origin("http://c.test/")), 0);
    fetch(&transport, get(A)).await.unwrap();
    assert_eq!(network.dials(), 3);
}

/// An eviction lets a request go on, and closes its connection then.
#[tokio::test(start_paused = true)]
async fn an_evicted_busy_connection_drains_and_closes_then() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    assert_eq!(transport.evict(&origin(A)), 1);
    settle().await;
    assert_eq!(network.open_connections(), 1);
    let next = send(&transport, get("http://a.test/next"));
    echo(&mut accept(&listener).await).await;
    assert_eq!(answer_to(next).await.unwrap(), "/next");
    peer.respond("200 OK", "drained").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "drained");
    peer.closed().await;
    settle().await;
    assert_eq!(stats(&transport).closed.of(CloseReason::Evicted), 1);
}

/// An eviction takes an HTTP/2 connection out of use, and its streams go on.
#[tokio::test(start_paused = true)]
async fn an_evicted_http2_connection_takes_no_new_stream_and_ends_its_own() {
    let network = Network::new();
    let gate = standpipe_test::Gate::new();
    let held = gate.clone();
    let server = standpipe_test::Server::builder().http2().handler(move |_| {
        let gate = held.clone();
        async move {
            gate.wait().await;
            http::Response::new(http_body_util::Empty::<bytes::Bytes>::new())
        }
    });
    let _server = server.start_on(network.listen("a.test:80"));
    let transport = over_http2(&network).build().unwrap();
    let before = send(&transport, get(A));
    gate.arrived(1).await;
    settle().await;
    assert_eq!(transport.evict(&origin(A)), 1);
    let after = send(&transport, get(A));
    gate.arrived(2).await;
    assert_eq!(network.open_connections(), 2);
    gate.open();
    answer_to(before).await.unwrap();
    answer_to(after).await.unwrap();
    settle().await;
    assert_eq!(network.open_connections(), 1);
    assert_eq!(stats(&transport).closed.of(CloseReason::Evicted), 1);
}

/// All idle connections close, and none in use.
#[tokio::test(start_paused = true)]
async fn close_idle_closes_what_idles_alone() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let _server = echoing().start_on(network.listen("b.test:80"));
    let transport = over(&network).build().unwrap();
    fetch(&transport, get(B)).await.unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    transport.close_idle();
    settle().await;
    let now = stats(&transport);
    assert_eq!((now.active, now.idle), (1, 0));
    peer.respond("200 OK", "").await.unwrap();
    answer_to(sent).await.unwrap();
    settle().await;
    assert_eq!(stats(&transport).idle, 1);
    transport.close_idle_of(&origin(B));
    settle().await;
    assert_eq!(stats(&transport).idle, 1);
    transport.close_idle_of(&origin(A));
    settle().await;
    assert_eq!(network.open_connections(), 0);
    assert_eq!(stats(&transport).closed.of(CloseReason::Evicted), 2);
}
