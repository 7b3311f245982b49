//! The limit on the connections of all origins.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use http_body_util::Full;
use standpipe_core::sync::Mutex;
use standpipe_test::Server;
use standpipe_test::memory::{Listener, Network};
use standpipe_transport::Transport;
use tokio::sync::Semaphore;

use crate::support::{
    A, B, accept, answer_to, echo, echoing, fetch, get, over, over_http2, pass, path, read, send,
    settle, stats, until,
};

const TICK: Duration = Duration::from_millis(1);

fn of_at_most(network: &Network, connections: usize) -> Transport {
    let transport = over(network).max_connections(Some(connections));
    transport.build().unwrap()
}

/// LIM-10
#[tokio::test(start_paused = true)]
async fn at_the_limit_the_least_recently_used_idle_connection_makes_room() {
    let network = Network::new();
    let hosts = ["a.test:80", "b.test:80", "c.test:80"];
    let _servers = hosts.map(|host| echoing().start_on(network.listen(host)));
    let transport = of_at_most(&network, 2);
    fetch(&transport, get(A)).await.unwrap();
    pass(TICK).await;
    fetch(&transport, get(B)).await.unwrap();
    pass(TICK).await;
    // `a` is the one used last now, and `b` has to go.
    fetch(&transport, get(A)).await.unwrap();
    pass(TICK).await;
    fetch(&transport, get("http://c.test/")).await.unwrap();
    settle().await;
    let idle = transport.stats().origins.into_iter();
    let idle: Vec<_> = idle.map(|origin| origin.connections.idle).collect();
    assert_eq!(idle, [1, 0, 1]);
    assert_eq!(network.peak_connections(), 2);
}

/// LIM-10
#[tokio::test(start_paused = true)]
async fn a_busy_connection_is_never_closed_to_make_room() {
    let network = Network::new();
    let (a, b) = (network.listen("a.test:80"), network.listen("b.test:80"));
    let transport = of_at_most(&network, 1);
    let first = send(&transport, get(A));
    let mut peer = accept(&a).await;
    path(&mut peer).await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
        .await
        .unwrap();
    let response = first.await.unwrap().unwrap();
    let second = send(&transport, get(B));
    pass(Duration::from_secs(30)).await;
    assert_eq!(network.dials(), 1, "the body is still to come");
    peer.write("body").await.unwrap();
    assert_eq!(read(response).await.unwrap(), "body");
    echo(&mut accept(&b).await).await;
    answer_to(second).await.unwrap();
    assert_eq!(network.peak_connections(), 1);
}

/// LIM-10: an idle HTTP/2 connection makes room as well.
#[tokio::test(start_paused = true)]
async fn an_idle_http2_connection_makes_room() {
    let network = Network::new();
    let hosts = ["a.test:80", "b.test:80"];
    let _servers = hosts.map(|host| echoing().http2().start_on(network.listen(host)));
    let transport = over_http2(&network).max_connections(Some(1));
    let transport = transport.build().unwrap();
    for url in [A, B, A, B] {
        fetch(&transport, get(url)).await.unwrap();
    }
    assert_eq!(network.peak_connections(), 1);
    assert_eq!(stats(&transport).created, 4);
}

/// Serves connection after connection, and each request when it is let, and keeps the order.
fn serve_by_turns(listener: Listener, turns: &Arc<Semaphore>, served: &Arc<Mutex<Vec<String>>>) {
    let (turns, served) = (Arc::clone(turns), Arc::clone(served));
    let host = listener.address().split('.').next().unwrap().to_owned();
    tokio::spawn(async move {
        loop {
            let mut peer = accept(&listener).await;
            let (turns, served, host) = (Arc::clone(&turns), Arc::clone(&served), host.clone());
            tokio::spawn(async move {
                while peer.read_head().await.is_ok() {
                    turns.acquire().await.unwrap().forget();
                    served.lock().push(host.clone());
                    peer.respond("200 OK", "").await.unwrap();
                }
            });
        }
    });
}

/// LIM-09, LIM-10
#[tokio::test(start_paused = true)]
async fn a_busy_origin_gives_way_within_one_turn_of_its_connections() {
    let network = Network::new();
    let (turns, served) = (Arc::new(Semaphore::new(0)), Arc::default());
    serve_by_turns(network.listen("a.test:80"), &turns, &served);
    serve_by_turns(network.listen("b.test:80"), &turns, &served);
    let transport = of_at_most(&network, 4);
    let mut sent = Vec::new();
    let mut send_one = async |url| {
        sent.push(send(&transport, get(url)));
        pass(TICK).await;
    };
    // The busy origin is never short of requests, of which some are older than the other's one.
    for _ in 0..24 {
        send_one(A).await;
    }
    send_one(B).await;
    for _ in 0..20 {
        send_one(A).await;
    }
    for _ in 0..45 {
        turns.add_permits(1);
        pass(TICK).await;
    }
    for sent in sent {
        answer_to(sent).await.unwrap();
    }
    let turn = served.lock().iter().position(|host| host == "b").unwrap();
    assert!(turn <= 4, "served after {turn} requests of the other");
    assert!(network.peak_connections() <= 4);
}

/// LIM-09, LIM-10
#[tokio::test(start_paused = true)]
async fn a_busy_http2_origin_gives_way_within_one_turn_of_its_streams() {
    const STREAMS: usize = 3;
    let network = Network::new();
    let (turns, served) = (
        Arc::new(Semaphore::new(0)),
        Arc::new(Mutex::new(Vec::new())),
    );
    let _servers = ["a", "b"].map(|host| {
        let (turns, served) = (Arc::clone(&turns), Arc::clone(&served));
        let server = Server::builder()
            .http2()
            .max_concurrent_streams(STREAMS as u32);
        let server = server.handler(move |_| {
            let (turns, served) = (Arc::clone(&turns), Arc::clone(&served));
            async move {
                turns.acquire().await.unwrap().forget();
                served.lock().push(host);
                Response::new(Full::from("ok"))
            }
        });
        server.start_on(network.listen(&format!("{host}.test:80")))
    });
    let transport = over_http2(&network).max_connections(Some(1));
    let transport = transport.build().unwrap();
    let mut sent = Vec::new();
    let mut send_one = async |url| {
        sent.push(send(&transport, get(url)));
        pass(TICK).await;
    };
    for _ in 0..STREAMS + 10 {
        send_one(A).await;
    }
    assert_eq!(stats(&transport).streams, STREAMS);
    send_one(B).await;
    for _ in 0..20 {
        send_one(A).await;
    }
    for _ in 0..STREAMS + 31 {
        turns.add_permits(1);
        pass(TICK).await;
    }
    for sent in sent {
        answer_to(sent).await.unwrap();
    }
    let turn = served.lock().iter().position(|host| *host == "b").unwrap();
    assert!(turn <= STREAMS, "served after {turn} streams of the other");
    assert_eq!(network.peak_connections(), 1);
}

/// LIM-10: three origins take turns on two connections, and none is left out.
#[tokio::test(start_paused = true)]
async fn more_origins_than_connections_are_all_served() {
    let network = Network::new();
    let hosts = ["a.test:80", "b.test:80", "c.test:80"];
    let _servers = hosts.map(|host| echoing().start_on(network.listen(host)));
    let transport = of_at_most(&network, 2);
    let urls = [A, B, "http://c.test/"];
    let sent: Vec<_> = (0..60)
        .map(|n| send(&transport, get(urls[n % 3])))
        .collect();
    until(|| sent.iter().all(tokio::task::JoinHandle::is_finished)).await;
    for sent in sent {
        answer_to(sent).await.unwrap();
    }
    assert!(network.peak_connections() <= 2);
}

/// LIM-10: one that closes by itself makes room for one, and is not counted for two.
#[tokio::test(start_paused = true)]
async fn a_connection_that_the_server_closes_makes_room_for_one_origin() {
    let network = Network::new();
    let a = network.listen("a.test:80");
    let hosts = ["b.test:80", "c.test:80"];
    let _servers = hosts.map(|host| echoing().start_on(network.listen(host)));
    let transport = of_at_most(&network, 1);
    let first = send(&transport, get(A));
    let mut peer = accept(&a).await;
    path(&mut peer).await;
    let others = [B, "http://c.test/"].map(|url| send(&transport, get(url)));
    settle().await;
    peer.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbody")
        .await
        .unwrap();
    assert_eq!(answer_to(first).await.unwrap(), "body");
    until(|| others.iter().all(tokio::task::JoinHandle::is_finished)).await;
    assert_eq!(network.peak_connections(), 1);
}

/// LIM-10: several streams that end make one connection's room, and not one each.
#[tokio::test(start_paused = true)]
async fn an_http2_connection_makes_room_for_one_origin_however_many_streams_end() {
    let network = Network::new();
    let turns = Arc::new(Semaphore::new(0));
    let _servers = ["a.test:80", "b.test:80", "c.test:80"].map(|host| {
        let turns = Arc::clone(&turns);
        let server = Server::builder().http2().handler(move |_| {
            let turns = Arc::clone(&turns);
            async move {
                turns.acquire().await.unwrap().forget();
                Response::new(Full::from("ok"))
            }
        });
        server.start_on(network.listen(host))
    });
    let transport = over_http2(&network).max_connections(Some(1));
    let transport = transport.build().unwrap();
    let _first = [(); 3].map(|()| send(&transport, get(A)));
    settle().await;
    assert_eq!(stats(&transport).streams, 3);
    let others = [B, "http://c.test/"].map(|url| send(&transport, get(url)));
    for _ in 0..5 {
        settle().await;
        turns.add_permits(1);
    }
    until(|| others.iter().all(tokio::task::JoinHandle::is_finished)).await;
    assert_eq!(network.peak_connections(), 1);
}
