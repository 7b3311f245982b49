//! Connections that idle: how many, how long, and what the server does to them meanwhile.

use std::time::Duration;

use http_body_util::BodyExt;
use standpipe_test::memory::{MemoryStream, Network};
use standpipe_test::{Peer, Server};
use standpipe_transport::Transport;
use tokio::runtime::Handle;

use crate::support::{
    A, B, Sent, accept, answer_to, echo, echoing, fetch, get, over, over_http2, pass, path, secs,
    send, settle, stats,
};

const TICK: Duration = Duration::from_millis(1);

/// The server's side of the transport's one connection, which idles.
async fn idling(transport: &Transport, network: &Network) -> Peer<MemoryStream> {
    let listener = network.listen("a.test:80");
    let sent = send(transport, get(A));
    let mut peer = accept(&listener).await;
    echo(&mut peer).await;
    answer_to(sent).await.unwrap();
    settle().await;
    assert_eq!(stats(transport).idle, 1);
    peer
}

/// IDLE-01
#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_at_its_timeout_with_no_request_to_trigger_it() {
    let network = Network::new();
    let transport = over(&network).idle_timeout(Some(secs(10))).build().unwrap();
    let mut peer = idling(&transport, &network).await;
    pass(secs(10) - TICK).await;
    assert_eq!(stats(&transport).idle, 1);
    pass(TICK).await;
    assert_eq!(stats(&transport).idle, 0);
    assert_eq!(network.open_connections(), 0);
    peer.closed().await;
}

/// IDLE-01
#[tokio::test(start_paused = true)]
async fn the_idle_time_counts_from_the_last_use() {
    let network = Network::new();
    let transport = over(&network).idle_timeout(Some(secs(10))).build().unwrap();
    let mut peer = idling(&transport, &network).await;
    for _ in 0..5 {
        pass(secs(6)).await;
        let sent = send(&transport, get(A));
        echo(&mut peer).await;
        answer_to(sent).await.unwrap();
    }
    pass(secs(10) - TICK).await;
    assert_eq!(stats(&transport).idle, 1);
    pass(TICK).await;
    assert_eq!(stats(&transport).idle, 0);
    assert_eq!(network.dials(), 1);
}

/// IDLE-01
#[tokio::test(start_paused = true)]
async fn an_idle_http2_connection_is_closed_at_its_timeout() {
    let network = Network::new();
    let _server = echoing().http2().start_on(network.listen("a.test:80"));
    let transport = over_http2(&network).idle_timeout(Some(secs(10)));
    let transport = transport.build().unwrap();
    fetch(&transport, get(A)).await.unwrap();
    pass(secs(10) - TICK).await;
    assert_eq!(stats(&transport).idle, 1);
    pass(TICK).await;
    assert_eq!((stats(&transport).idle, network.open_connections()), (0, 0));
}

/// IDLE-03
#[tokio::test(start_paused = true)]
async fn a_connection_that_comes_back_over_the_origins_limit_is_closed() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).max_idle_per_host(2).build().unwrap();
    let mut busy: Vec<(Sent, Peer<MemoryStream>)> = Vec::new();
    for _ in 0..3 {
        busy.push((send(&transport, get(A)), accept(&listener).await));
    }
    for (n, (sent, mut peer)) in busy.into_iter().enumerate() {
        echo(&mut peer).await;
        answer_to(sent).await.unwrap();
        settle().await;
        assert_eq!(stats(&transport).idle, (n + 1).min(2));
        if n == 2 {
            peer.closed().await;
        } else {
            // The server holds on to it.
            tokio::spawn(async move { peer.closed().await });
        }
    }
    assert_eq!(network.open_connections(), 2);
}

/// IDLE-03
#[tokio::test(start_paused = true)]
async fn over_the_limit_of_all_origins_the_least_recently_used_is_closed() {
    let network = Network::new();
    let hosts = ["a.test:80", "b.test:80", "c.test:80", "d.test:80"];
    let _servers = hosts.map(|host| echoing().start_on(network.listen(host)));
    let transport = over(&network).max_idle(2).build().unwrap();
    let idle = || -> Vec<_> {
        let origins = transport.stats().origins.into_iter();
        origins.map(|origin| origin.connections.idle).collect()
    };
    let use_host = async |url| {
        fetch(&transport, get(url)).await.unwrap();
        pass(TICK).await;
    };
    use_host(A).await;
    use_host(B).await;
    use_host("http://c.test/").await;
    assert_eq!(idle(), [0, 1, 1]);
    // Used again, `b` is no longer the oldest.
    use_host(B).await;
    use_host("http://d.test/").await;
    assert_eq!(idle(), [0, 1, 0, 1]);
    assert_eq!(network.open_connections(), 2);
}

/// IDLE-04
#[tokio::test(start_paused = true)]
async fn a_connection_that_the_server_closes_while_it_idles_is_forgotten() {
    for reset in [false, true] {
        let network = Network::new();
        let transport = over(&network).build().unwrap();
        let peer = idling(&transport, &network).await;
        if reset {
            peer.reset();
        } else {
            peer.close().await.unwrap();
        }
        settle().await;
        assert_eq!((stats(&transport).idle, network.open_connections()), (0, 0));
        let listener = network.listen("a.test:80");
        let next = send(&transport, get(A));
        echo(&mut accept(&listener).await).await;
        answer_to(next).await.unwrap();
        assert_eq!(stats(&transport).resent, 0, "it was not tried");
    }
}

/// IDLE-05
#[tokio::test(start_paused = true)]
async fn bytes_that_nobody_asked_for_end_an_idle_connection() {
    for planted in [
        "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen",
        "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",
        "H",
    ] {
        // Seen by the pool before the next request, and not seen.
        for seen in [true, false] {
            let network = Network::new();
            let transport = over(&network).build().unwrap();
            let mut peer = idling(&transport, &network).await;
            peer.write(planted).await.unwrap();
            if seen {
                settle().await;
                assert_eq!(stats(&transport).idle, 0);
            }
            let listener = network.listen("a.test:80");
            let next = send(&transport, get("http://a.test/next"));
            assert_eq!(echo(&mut accept(&listener).await).await, "/next");
            assert_eq!(answer_to(next).await.unwrap(), "/next");
        }
    }
}

/// IDLE-07
#[tokio::test(start_paused = true)]
async fn a_body_that_takes_longer_than_the_idle_timeout_is_not_interrupted() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).idle_timeout(Some(secs(10))).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n")
        .await
        .unwrap();
    let mut body = sent.await.unwrap().unwrap().into_body();
    for byte in ["0", "1", "2", "3", "4", "5"] {
        pass(secs(25)).await;
        peer.write(byte).await.unwrap();
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), byte);
    }
    assert!(body.frame().await.is_none());
    settle().await;
    assert_eq!(stats(&transport).idle, 1);
    // And from here on it idles.
    pass(secs(10)).await;
    assert_eq!(stats(&transport).idle, 0);
}

/// IDLE-11
#[tokio::test(start_paused = true)]
async fn without_an_idle_timeout_nothing_looks_after_a_connection_but_its_driver() {
    let network = Network::new();
    let transport = over(&network).idle_timeout(None).build().unwrap();
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let _peer = idling(&transport, &network).await;
    assert_eq!(tasks(), before + 1);
    pass(secs(10 * 365 * 24 * 60 * 60)).await;
    assert_eq!(stats(&transport).idle, 1);
    assert_eq!(tasks(), before + 1);
}

/// IDLE-12
#[tokio::test(start_paused = true)]
async fn with_the_last_handle_idle_connections_close_and_no_task_is_left() {
    let network = Network::new();
    let transport = over(&network).build().unwrap();
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let mut peer = idling(&transport, &network).await;
    let clone = transport.clone();
    drop(transport);
    settle().await;
    assert_eq!(network.open_connections(), 1);
    drop(clone);
    peer.closed().await;
    network.all_closed().await;
    settle().await;
    assert_eq!(tasks(), before);
}

/// IDLE-12
#[tokio::test(start_paused = true)]
async fn with_the_last_handle_http2_connections_and_dials_end_as_well() {
    let network = Network::new();
    let server = Server::builder()
        .http2()
        .start_on(network.listen("a.test:80"));
    let transport = over_http2(&network).build().unwrap();
    let tasks = || Handle::current().metrics().num_alive_tasks();
    settle().await;
    let before = tasks();
    fetch(&transport, get(A)).await.unwrap();
    let hold = network.hold_dials();
    let dialling = send(&transport, get(B));
    hold.arrived(1).await;
    dialling.abort();
    settle().await;
    drop(transport);
    server.until(|stats| stats.open == 0).await;
    network.all_closed().await;
    settle().await;
    assert_eq!(hold.waiting(), 0);
    assert_eq!(tasks(), before);
}

/// IDLE-10: a wall clock that jumps can neither end a connection early nor keep it for ever, since
/// none is read: all times are those of tokio's clock, which only goes forward.
#[test]
fn no_source_of_the_transport_reads_the_wall_clock() {
    fn look(folder: &std::path::Path, files: &mut usize) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                look(&path, files);
                continue;
            }
            *files += 1;
            let source = std::fs::read_to_string(&path).unwrap();
            for clock in ["SystemTime", "std::time::Instant"] {
                assert!(!source.contains(clock), "{clock} in {}", path.display());
            }
        }
    }
    let mut files = 0;
    look(
        &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    assert!(files > 50, "{files} files");
}
