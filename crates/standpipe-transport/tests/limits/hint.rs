//! A server that says how long it lets a connection idle.

use std::time::Duration;

use standpipe_test::Peer;
use standpipe_test::memory::{MemoryStream, Network};
use standpipe_transport::Transport;

use crate::support::{
    A, accept, answer_to, echo, get, over, pass, path, secs, send, settle, stats,
};

const TICK: Duration = Duration::from_millis(1);

/// A transport with one connection, whose server has answered once with `keep_alive`.
async fn hinted(own: Option<Duration>, keep_alive: &str) -> (Transport, Peer<MemoryStream>) {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).idle_timeout(own).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let head = format!("HTTP/1.1 200 OK\r\nkeep-alive: {keep_alive}\r\ncontent-length: 2\r\n\r\n");
    peer.write(format!("{head}ok")).await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "ok");
    settle().await;
    (transport, peer)
}

async fn assert_idles_for(transport: &Transport, time: Duration) {
    pass(time - TICK).await;
    assert_eq!(stats(transport).idle, 1, "{time:?}");
    pass(TICK).await;
    assert_eq!(stats(transport).idle, 0, "{time:?}");
}

/// IDLE-08
#[tokio::test(start_paused = true)]
async fn reuse_stops_a_margin_before_the_servers_own_timeout() {
    for own in [None, Some(secs(90))] {
        for (hint, millis) in [
            ("timeout=5", 3_000),
            ("timeout=60, max=100", 58_000),
            ("timeout=2", 1_000),
        ] {
            let (transport, mut peer) = hinted(own, hint).await;
            assert_idles_for(&transport, Duration::from_millis(millis)).await;
            peer.closed().await;
        }
    }
}

/// IDLE-08
#[tokio::test(start_paused = true)]
async fn a_hint_never_makes_a_connection_idle_longer_than_our_own_timeout() {
    for hint in ["timeout=13", "timeout=3600", "timeout=18446744073709551615"] {
        let (transport, _peer) = hinted(Some(secs(10)), hint).await;
        assert_idles_for(&transport, secs(10)).await;
    }
}

/// IDLE-08
#[tokio::test(start_paused = true)]
async fn a_server_that_lets_no_connection_idle_is_dialled_for_each_request() {
    let (transport, mut peer) = hinted(None, "timeout=0").await;
    let now = stats(&transport);
    assert_eq!((now.active, now.idle), (0, 0));
    peer.closed().await;
}

/// IDLE-08: the time counts from the end of the last exchange, and none ends a request.
#[tokio::test(start_paused = true)]
async fn a_hint_holds_for_each_time_that_the_connection_idles() {
    let (transport, mut peer) = hinted(None, "timeout=5").await;
    for _ in 0..5 {
        pass(secs(2)).await;
        let sent = send(&transport, get(A));
        echo(&mut peer).await;
        answer_to(sent).await.unwrap();
        settle().await;
    }
    let sent = send(&transport, get(A));
    path(&mut peer).await;
    pass(secs(30)).await;
    peer.respond("200 OK", "slow").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "slow");
    settle().await;
    assert_idles_for(&transport, secs(3)).await;
    assert_eq!(stats(&transport).created, 1);
}

/// IDLE-08: what is no number is no hint.
#[tokio::test(start_paused = true)]
async fn a_hint_that_makes_no_sense_changes_nothing() {
    for hint in ["timeout=soon", "max=3", ""] {
        let (transport, _peer) = hinted(Some(secs(10)), hint).await;
        assert_idles_for(&transport, secs(10)).await;
    }
}
