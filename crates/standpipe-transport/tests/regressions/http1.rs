//! Over HTTP/1.1.

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::{BodyExt, Full};
use standpipe_core::RequestSent;
use standpipe_test::Server;
use standpipe_test::memory::Network;
use tokio::task::JoinSet;

use crate::scripted::{Scripted, streaming_post};
use crate::support::{
    A, accept, answer_to, echo, fetch, get, over, path, post, secs, send, settle, stats,
};

/// hyper #2136: of a server that closes kept-alive connections at any moment, 0.02 % of all requests
/// failed without it being known whether they could be sent again. Here each failure says so.
#[tokio::test(start_paused = true)]
async fn a_race_of_close_and_reuse_is_silent_or_told_as_a_case_for_a_resend() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    tokio::spawn(async move {
        for seed in 1_usize.. {
            let mut peer = standpipe_test::Peer::new(listener.accept().await);
            tokio::spawn(async move {
                for n in 0.. {
                    if path_of(&mut peer).await.is_none() {
                        return;
                    }
                    if peer.respond("200 OK", "x").await.is_err() {
                        return;
                    }
                    if (seed * 7 + n) % 5 == 0 {
                        for _ in 0..(seed + n) % 4 {
                            tokio::task::yield_now().await;
                        }
                        return;
                    }
                }
            });
        }
    });
    let transport = over(&network)
        .max_connections_per_host(4)
        .max_idle_per_host(4);
    let transport = transport.build().unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let transport = transport.clone();
        tasks.spawn(async move {
            let mut lost = 0;
            for _ in 0..500 {
                if let Err(error) = fetch(&transport, get(A)).await {
                    let fresh = error.request_sent() == RequestSent::No;
                    assert!(fresh || error.calls_for_resend(), "{error:?}");
                    assert_ne!(error.request_sent(), RequestSent::Yes);
                    lost += 1;
                }
            }
            lost
        });
    }
    let lost: usize = tasks.join_all().await.into_iter().sum();
    assert!(lost < 2_000, "{lost} of 4,000");
    assert_eq!(stats(&transport).active, 0);
}

async fn path_of(
    peer: &mut standpipe_test::Peer<standpipe_test::memory::MemoryStream>,
) -> Option<()> {
    peer.read_head().await.ok().map(drop)
}

/// hyper #1433: the pool gave out a connection that could not take a request yet.
#[tokio::test(start_paused = true)]
async fn a_connection_whose_upload_goes_on_is_not_given_to_the_next_request() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let (mut upload, request) = streaming_post(A);
    let first = send(&transport, request);
    let mut busy = accept(&listener).await;
    path(&mut busy).await;
    busy.respond("200 OK", "early").await.unwrap();
    assert_eq!(answer_to(first).await.unwrap(), "early");
    for n in 0..10 {
        let next = send(&transport, get(&format!("http://a.test/{n}")));
        let mut other = accept(&listener).await;
        echo(&mut other).await;
        answer_to(next).await.unwrap();
        drop(other);
        settle().await;
    }
    upload.send_data(Bytes::from("rest")).await.unwrap();
    drop(upload);
    settle().await;
    let last = send(&transport, get("http://a.test/last"));
    busy.read_exact_body("4\r\nrest\r\n0\r\n\r\n".len())
        .await
        .unwrap();
    assert_eq!(echo(&mut busy).await, "/last");
    assert_eq!(answer_to(last).await.unwrap(), "/last");
}

/// hyper-util PR #150: a connection that closes at once was dialled again and again.
#[tokio::test(start_paused = true)]
async fn a_server_that_closes_at_once_gets_one_dial_for_each_request() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    let transport = over(&network).build().unwrap();
    for n in 1..=1000 {
        fetch(&transport, post(A, "x")).await.unwrap_err();
        assert_eq!(network.dials(), n);
    }
}

/// hyper 1.8 and 1.10, the "rare missed write wakeup": one lost between a write and its flush.
#[tokio::test(start_paused = true)]
async fn bodies_go_through_a_pipe_of_one_byte_in_both_directions() {
    for size in [1, 2, 3, 17] {
        let network = Network::with_buffer_size(size);
        let server = Server::builder().handler(|request| async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Response::new(Full::from(body))
        });
        let _server = server.start_on(network.listen("a.test:80"));
        let transport = over(&network)
            .write_idle_timeout(Some(secs(20)))
            .body_idle_timeout(Some(secs(20)))
            .build()
            .unwrap();
        for length in [0, 1, 100, 5_000] {
            let body = vec![7; length];
            let answer = fetch(&transport, post(A, body.clone())).await.unwrap();
            assert_eq!(answer, body);
        }
        assert_eq!(network.dials(), 1);
    }
}

/// hyper 1.9, #4042: an upload went on after its request was dropped.
#[tokio::test(start_paused = true)]
async fn an_upload_stops_when_its_request_is_dropped() {
    let scripted = Scripted::new();
    let (mut upload, request) = streaming_post(A);
    let begun = scripted.begin(request).await;
    upload.send_data(Bytes::from("half")).await.unwrap();
    settle().await;
    begun.sent.abort();
    settle().await;
    upload.send_data(Bytes::from("rest")).await.unwrap_err();
    scripted.assert_closed(begun.peer).await;
}

/// Go, CVE-2026-56866: a tunnel that was refused, or was asked for with a body, left its connection in
/// the pool, and what was meant for the tunnel was read as the next answer.
#[tokio::test(start_paused = true)]
async fn the_answer_to_a_tunnel_is_never_the_answer_to_the_next_request() {
    let scripted = Scripted::new();
    let mut request = get(A);
    *request.method_mut() = Method::CONNECT;
    let planted = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen";
    let refusal = "HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno";
    let exchanged = scripted
        .exchange_of(request, format!("{refusal}{planted}"))
        .await;
    assert_eq!(exchanged.answer.unwrap(), "no");
    scripted.assert_closed(exchanged.peer).await;
}

/// undici, CVE-2026-6733: an answer that nobody asked for was taken for the next request's.
#[tokio::test(start_paused = true)]
async fn an_answer_to_nothing_is_never_the_answer_to_the_next_request() {
    let scripted = Scripted::new();
    let mut exchanged = scripted
        .exchange("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .await;
    let planted = "HTTP/1.1 408 Request Timeout\r\ncontent-length: 6\r\n\r\nstolen";
    exchanged.peer.write(planted).await.unwrap();
    scripted.assert_works().await;
    drop(exchanged.peer);
}
