//! Over real sockets: what a server sees.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use standpipe_core::ReplayBody;
use standpipe_test::memory::Network;
use standpipe_test::{Peer, Server, ServerBuilder};
use standpipe_transport::{Protocol, Transport};

const MIB: usize = 1024 * 1024;

type Uploads = Arc<Mutex<Vec<(String, Bytes)>>>;

/// A server that reads each upload to its end, keeps it, and answers 503 to the first `failing`.
fn server(failing: usize) -> (ServerBuilder, Uploads) {
    let uploads = Uploads::default();
    let (keep, begun) = (uploads.clone(), Arc::new(AtomicUsize::new(0)));
    let server = Server::builder().handler(move |request: Request<hyper::body::Incoming>| {
        let keep = keep.clone();
        let failed = begun.fetch_add(1, Ordering::Relaxed) < failing;
        async move {
            let (parts, body) = request.into_parts();
            let framing = ["content-length", "transfer-encoding"]
                .iter()
                .filter_map(|name| {
                    Some(format!(
                        "{name}: {}",
                        parts.headers.get(*name)?.to_str().ok()?
                    ))
                })
                .collect();
            let read = body.collect().await.expect("an upload").to_bytes();
            keep.lock().push((framing, read));
            let status = if failed { 503 } else { 200 };
            let answer = Full::new(Bytes::from(format!("{status}")));
            Response::builder().status(status).body(answer).unwrap()
        }
    });
    (server, uploads)
}

fn quick() -> RetryLayer {
    RetryLayer::new(RetryPolicy::new().backoff(ExponentialBackoff::new(Duration::ZERO)))
}

fn upload() -> Bytes {
    (0..MIB).map(|i| (i % 251) as u8).collect::<Vec<_>>().into()
}

/// RTY-14, RTY-15
#[tokio::test]
async fn an_upload_of_1_mib_is_the_same_on_the_wire_each_time() {
    for (kind, retried) in [("bytes", true), ("factory", true), ("stream", false)] {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let (builder, uploads) = server(2);
            let builder = match protocol {
                Protocol::Http2 => builder.http2(),
                _ => builder.http1(),
            };
            let server = builder.start().await;
            let transport = Transport::builder().protocol(protocol).build().unwrap();
            let request = Request::post(server.url("/")).body(body(kind)).unwrap();
            let response = quick().layer(transport).oneshot(request).await.unwrap();
            let expected = if retried { (200, 3) } else { (503, 1) };
            let uploads = uploads.lock().clone();
            assert_eq!(
                (response.status().as_u16(), uploads.len()),
                expected,
                "{kind}"
            );
            assert!(uploads.iter().all(|(_, read)| *read == upload()), "{kind}");
            assert!(
                uploads.windows(2).all(|two| two[0].0 == two[1].0),
                "{kind}: framed alike"
            );
            let stats = server.stats();
            assert_eq!(stats.connections, 1, "{kind}: the failed answers were read");
        }
    }
}

fn body(kind: &str) -> Body {
    match kind {
        "bytes" => Body::from(upload()),
        "factory" => Body::from_fn(|| Full::new(upload())),
        _ => Body::from_stream(bodies::Chunks::of(&upload(), 10_000)),
    }
}

/// RTY-14: a stream under the cap, through hyper-util's client and through ours.
#[tokio::test]
async fn a_small_stream_is_the_same_on_the_wire_each_time() {
    let sent = upload().slice(..50_000);
    let (builder, uploads) = server(2);
    let first = builder.http1().start().await;
    let transport = Transport::builder().build().unwrap();
    let body = Body::from_stream(bodies::Chunks::of(&sent, 999));
    let request = Request::post(first.url("/")).body(body).unwrap();
    let response = quick().layer(transport).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let chunked = ("transfer-encoding: chunked".to_owned(), sent.clone());
    assert_eq!(*uploads.lock(), vec![chunked.clone(); 3]);

    let (builder, uploads) = server(2);
    let server = builder.http1().start().await;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let frames = bodies::Chunks::of(&sent, 999);
    let frames = futures_util::StreamExt::map(frames, |piece| piece.map(http_body::Frame::data));
    let body = ReplayBody::new(http_body_util::StreamBody::new(frames));
    let request = Request::post(server.url("/")).body(body).unwrap();
    let response = quick().layer(client).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(*uploads.lock(), vec![chunked; 3]);
}

/// The answer may come before the body ends.
#[tokio::test]
async fn an_upload_refused_early_goes_out_whole_on_the_next_attempt() {
    let sent = upload().slice(..60_000);
    let (keep, refused) = (Uploads::default(), Arc::new(AtomicUsize::new(0)));
    let uploads = keep.clone();
    let server =
        Server::builder()
            .http1()
            .handler(move |request: Request<hyper::body::Incoming>| {
                let (uploads, early) = (
                    uploads.clone(),
                    refused.fetch_add(1, Ordering::Relaxed) == 0,
                );
                async move {
                    if !early {
                        let read = request
                            .into_body()
                            .collect()
                            .await
                            .expect("an upload")
                            .to_bytes();
                        uploads.lock().push((String::new(), read));
                    }
                    let status = if early { 503 } else { 200 };
                    Response::builder()
                        .status(status)
                        .body(Full::new(Bytes::new()))
                        .unwrap()
                }
            });
    let server = server.start().await;
    // What the first attempt has not taken comes only when that was answered.
    let gate = standpipe_test::Gate::new();
    let (first, rest) = (sent.slice(..30_000), sent.slice(30_000..));
    let open = gate.clone();
    let stream = futures_util::stream::once(async move { Ok::<_, BoxError>(first) });
    let stream = futures_util::StreamExt::chain(
        stream,
        futures_util::stream::once(async move {
            open.wait().await;
            Ok(rest)
        }),
    );
    let layer = quick().on_retry(move |_| gate.open());
    let transport = Transport::builder().build().unwrap();
    let request = Request::post(server.url("/"))
        .body(Body::from_stream(stream))
        .unwrap();
    let response = layer.layer(transport).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(keep.lock()[0].1, sent);
}

/// STALE-02, STALE-03, RTY-24: a connection that was used before ends when the next request has come.
#[tokio::test]
async fn a_get_that_a_kept_connection_lost_goes_out_at_once_and_a_post_does_not() {
    for (request, retried) in [(get(), true), (post(), false)] {
        let network = Network::new();
        let listener = network.listen("example.com:80");
        let peers = tokio::spawn(async move {
            let mut peer = Peer::new(listener.accept().await);
            peer.read_head().await.unwrap();
            peer.respond("200 OK", "first").await.unwrap();
            peer.read_head().await.unwrap();
            drop(peer);
            let mut peer = Peer::new(listener.accept().await);
            peer.read_head().await.unwrap();
            peer.respond("200 OK", "second").await.unwrap();
            peer.closed().await;
        });
        let transport = Transport::builder()
            .connector(network.connector())
            .build()
            .unwrap();
        let service = RetryLayer::new(RetryPolicy::new().budget(None)).layer(transport);
        let warm = service.clone().oneshot(get()).await.unwrap();
        assert_eq!(
            warm.into_body().collect().await.unwrap().to_bytes(),
            "first"
        );
        let got = service.clone().oneshot(request).await;
        if retried {
            let response = got.unwrap();
            assert_eq!(
                response.into_body().collect().await.unwrap().to_bytes(),
                "second"
            );
        } else {
            let last = error(got);
            assert_eq!(
                (last.request_sent(), last.attempts()),
                (RequestSent::Maybe, 1)
            );
        }
        let stats = service.handle().stats();
        assert_eq!((stats.resends, stats.retries), (u64::from(retried), 0));
        peers.abort();
    }
}
