//! What is under way when a transport is shut down.

use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::channel::Channel;
use hyper_util::rt::TokioIo;
use standpipe_core::{Body, Error, ErrorKind};
use standpipe_test::memory::{Listener, MemoryStream, Network};
use standpipe_test::{Gate, Peer, Server};
use standpipe_transport::{CloseReason, Transport};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::support::{
    A, accept, answer_to, failure_of, get, over, over_http2, pass, path, read, secs, send, settle,
    stats, until,
};

/// A response whose body has begun.
async fn streaming(
    transport: &Transport,
    listener: &Listener,
) -> (Response<Body>, Peer<MemoryStream>) {
    let sent = send(transport, get(A));
    let mut peer = accept(listener).await;
    path(&mut peer).await;
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf";
    peer.write(begun).await.unwrap();
    (sent.await.unwrap().unwrap(), peer)
}

/// DRN-01: it is down as soon as all is done, before the grace ends.
#[tokio::test(start_paused = true)]
async fn a_request_and_a_body_under_way_end_within_the_grace() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let (response, mut streams) = streaming(&transport, &listener).await;
    let sent = send(&transport, get(A));
    let mut answers = accept(&listener).await;
    path(&mut answers).await;
    let begun = Instant::now();
    let shutdown = tokio::spawn(transport.shutdown(secs(10)));
    pass(secs(3)).await;
    answers.respond("200 OK", "late").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "late");
    settle().await;
    assert!(!shutdown.is_finished());
    streams.write("half").await.unwrap();
    assert_eq!(read(response).await.unwrap(), "halfhalf");
    let report = shutdown.await.unwrap();
    assert_eq!((report.waiting, report.finished, report.cut), (0, 2, 0));
    assert!(report.complete);
    assert_eq!(begun.elapsed(), secs(3));
    assert_eq!(network.open_connections(), 0);
}

/// DRN-02
#[tokio::test(start_paused = true)]
async fn what_is_left_after_the_grace_is_cut() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).response_head_timeout(None).build().unwrap();
    let (response, _streams) = streaming(&transport, &listener).await;
    let sent = send(&transport, get(A));
    let mut silent = accept(&listener).await;
    path(&mut silent).await;
    let shutdown = tokio::spawn(transport.shutdown(secs(10)));
    pass(secs(10) - Duration::from_millis(1)).await;
    assert!(!shutdown.is_finished() && !sent.is_finished());
    pass(Duration::from_millis(1)).await;
    let report = shutdown.await.unwrap();
    assert_eq!((report.waiting, report.finished, report.cut), (0, 0, 2));
    assert!(report.complete);
    assert_eq!(failure_of(sent).await.kind(), ErrorKind::Shutdown);
    assert_eq!(
        read(response).await.unwrap_err().kind(),
        ErrorKind::Shutdown
    );
    silent.closed().await;
    assert_eq!(stats(&transport).closed.of(CloseReason::Shutdown), 2);
}

/// DRN-02
#[tokio::test(start_paused = true)]
async fn a_grace_of_zero_cuts_at_once() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let (response, _peer) = streaming(&transport, &listener).await;
    let begun = Instant::now();
    let report = transport.shutdown(Duration::ZERO).await;
    assert_eq!((report.finished, report.cut, report.complete), (0, 1, true));
    assert!(begun.elapsed() < secs(1));
    assert_eq!(
        read(response).await.unwrap_err().kind(),
        ErrorKind::Shutdown
    );
}

/// DRN-02
#[tokio::test(start_paused = true)]
async fn streams_of_http2_end_within_the_grace_or_are_cut() {
    let network = Network::new();
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |request: Request<hyper::body::Incoming>| {
        let gate = held.clone();
        async move {
            if request.uri().path() == "/held" {
                gate.wait().await;
            } else {
                tokio::time::sleep(secs(2)).await;
            }
            Response::new(http_body_util::Full::<bytes::Bytes>::from("done"))
        }
    };
    let server = Server::builder().http2().handler(handler);
    let _server = server.start_on(network.listen("a.test:80"));
    let transport = over_http2(&network).build().unwrap();
    let ends = send(&transport, get("http://a.test/ends"));
    let cut = send(&transport, get("http://a.test/held"));
    gate.arrived(1).await;
    settle().await;
    assert_eq!(stats(&transport).streams, 2);
    let shutdown = tokio::spawn(transport.shutdown(secs(5)));
    assert_eq!(answer_to(ends).await.unwrap(), "done");
    let report = shutdown.await.unwrap();
    assert_eq!((report.waiting, report.finished, report.cut), (0, 1, 1));
    assert!(report.complete);
    assert_eq!(failure_of(cut).await.kind(), ErrorKind::Shutdown);
    assert_eq!(network.open_connections(), 0);
}

/// DRN-01, DRN-02
#[tokio::test(start_paused = true)]
async fn an_upload_that_outlasts_its_response_has_the_grace_and_is_cut_then() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let (mut upload, body) = Channel::<bytes::Bytes, Error>::new(1);
    let request = Request::post(A).body(Body::new(body)).unwrap();
    let sent = send(&transport, request);
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    upload.send_data("begun".into()).await.unwrap();
    settle().await;
    let shutdown = tokio::spawn(transport.shutdown(secs(5)));
    pass(secs(4)).await;
    assert!(!shutdown.is_finished());
    upload.send_data("goes on".into()).await.unwrap();
    pass(secs(1)).await;
    let report = shutdown.await.unwrap();
    assert_eq!((report.finished, report.cut, report.complete), (0, 1, true));
    assert_eq!(failure_of(sent).await.kind(), ErrorKind::Shutdown);
}

/// DRN-02
#[tokio::test(start_paused = true)]
async fn an_upgraded_connection_is_cut_and_fails_its_reader() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let request = Request::get(A)
        .header("connection", "upgrade")
        .header("upgrade", "chat")
        .body(Body::empty())
        .unwrap();
    let sent = send(&transport, request);
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n";
    peer.write(switch).await.unwrap();
    let upgraded = hyper::upgrade::on(sent.await.unwrap().unwrap())
        .await
        .unwrap();
    let mut io = TokioIo::new(upgraded);
    let reader = tokio::spawn(async move { io.read_u8().await });
    settle().await;
    let begun = Instant::now();
    let report = transport.shutdown(secs(5)).await;
    assert_eq!((report.finished, report.cut), (0, 1));
    assert!(begun.elapsed() >= secs(5));
    let error = reader.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
    until(|| network.open_connections() == 0).await;
}

/// DRN-02: its holder neither reads nor writes, so nothing tells it.
#[tokio::test(start_paused = true)]
async fn an_upgraded_connection_that_is_held_on_to_is_reported() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let request = Request::get(A)
        .header("connection", "upgrade")
        .header("upgrade", "chat")
        .body(Body::empty())
        .unwrap();
    let sent = send(&transport, request);
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n";
    peer.write(switch).await.unwrap();
    let upgraded = hyper::upgrade::on(sent.await.unwrap().unwrap())
        .await
        .unwrap();
    settle().await;
    let begun = Instant::now();
    let report = transport.shutdown(secs(5)).await;
    assert_eq!((report.cut, report.complete), (1, false));
    assert_eq!(begun.elapsed(), secs(6), "one second after the cut");
    drop(upgraded);
    until(|| network.open_connections() == 0).await;
}

/// DRN-01
#[tokio::test(start_paused = true)]
async fn a_body_that_is_dropped_within_the_grace_ends_it() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let (response, _peer) = streaming(&transport, &listener).await;
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    let shutdown = tokio::spawn(transport.shutdown(secs(10)));
    pass(secs(1)).await;
    let begun = Instant::now();
    drop(body);
    let report = shutdown.await.unwrap();
    assert_eq!((report.finished, report.cut, report.complete), (1, 0, true));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}
