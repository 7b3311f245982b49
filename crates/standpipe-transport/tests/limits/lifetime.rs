//! How long a connection may be used, and for how many requests.

use std::collections::BTreeSet;
use std::time::Duration;

use http_body_util::BodyExt;
use standpipe_test::memory::Network;

use crate::support::{
    A, accept, answer_to, echo, echoing, echoing_by, fetch, get, over, pass, path, secs, send,
    settle, stats,
};

/// IDLE-09
#[tokio::test(start_paused = true)]
async fn a_connection_is_replaced_after_the_requests_it_may_carry() {
    for http2 in [false, true] {
        let network = Network::new();
        let (server, transport) = echoing_by(http2, &network);
        let server = server.start_on(network.listen("a.test:80"));
        let transport = transport.max_requests_per_connection(Some(3));
        let transport = transport.build().unwrap();
        for _ in 0..7 {
            fetch(&transport, get(A)).await.unwrap();
        }
        settle().await;
        assert_eq!(server.stats().requests_per_connection, [3, 3, 1]);
        assert_eq!(network.open_connections(), 1);
        let stats = stats(&transport);
        assert_eq!((stats.active, stats.idle), (0, 1));
    }
}

/// IDLE-09
#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_when_its_life_is_over() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let transport = over(&network).max_lifetime(Some(secs(100)));
    let transport = transport.idle_timeout(None).build().unwrap();
    fetch(&transport, get(A)).await.unwrap();
    pass(Duration::from_millis(89_999)).await;
    assert_eq!(stats(&transport).idle, 1);
    pass(secs(21)).await;
    assert_eq!((stats(&transport).idle, network.open_connections()), (0, 0));
}

/// IDLE-09
#[tokio::test(start_paused = true)]
async fn lives_differ_so_that_not_all_connections_end_together() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .max_lifetime(Some(secs(100)))
        .idle_timeout(None)
        .max_idle_per_host(40)
        .build()
        .unwrap();
    let mut peers = Vec::new();
    let sent: Vec<_> = (0..40).map(|_| send(&transport, get(A))).collect();
    for _ in 0..40 {
        let mut peer = accept(&listener).await;
        echo(&mut peer).await;
        peers.push(peer);
    }
    for sent in sent {
        answer_to(sent).await.unwrap();
    }
    settle().await;
    assert_eq!(stats(&transport).idle, 40);
    let mut counts = BTreeSet::new();
    for _ in 0..120 {
        counts.insert(stats(&transport).idle);
        pass(secs(1)).await;
    }
    // One closes at its time, others at theirs: many different numbers are seen on the way.
    assert!(counts.len() > 3, "{counts:?}");
    assert_eq!(stats(&transport).idle, 0);
}

/// IDLE-09
#[tokio::test(start_paused = true)]
async fn a_response_under_way_outlives_its_connections_life() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).max_lifetime(Some(secs(10))).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
        .await
        .unwrap();
    let mut body = sent.await.unwrap().unwrap().into_body();
    pass(secs(60)).await;
    peer.write("body").await.unwrap();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "body");
    assert!(body.frame().await.is_none());
    peer.closed().await;
    settle().await;
    let stats = stats(&transport);
    assert_eq!((stats.active, stats.idle), (0, 0));
}
