//! Request bodies that are sent again.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use standpipe::{Body, Error, GiveUpReason, Pool};
use standpipe_core::sync::Mutex;
use standpipe_test::Server;
use standpipe_test::memory::Network;
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{URL, on, peer, pool_and_listener, settle};

type Uploads = Arc<Mutex<Vec<Bytes>>>;

/// Reads each upload to its end; refuses the first.
fn refuses_once(network: &Network) -> (Server, Uploads) {
    let uploads = Uploads::default();
    let seen = Arc::clone(&uploads);
    let server = Server::builder().handler(move |request: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let upload = request.into_body().collect().await.unwrap().to_bytes();
            let mut seen = seen.lock();
            seen.push(upload);
            let status = if seen.len() == 1 { 503 } else { 200 };
            let response = Response::builder().status(status);
            response.body(Full::<Bytes>::default()).unwrap()
        }
    });
    (server.start_on(network.listen("a.test:80")), uploads)
}

fn chunks(n: usize, size: usize) -> Body {
    let chunk = Bytes::from(vec![b'c'; size]);
    let chunks = (0..n).map(move |_| Ok::<_, Error>(chunk.clone()));
    Body::from_stream(futures_util::stream::iter(chunks))
}

fn pool(network: &Network) -> Pool {
    on(network).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_post_of_bytes_is_sent_again_byte_for_byte() {
    let network = Network::new();
    let (_server, uploads) = refuses_once(&network);
    let bytes: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
    let request = pool(&network).post(URL).body(bytes.clone());
    assert_eq!(request.send().await.unwrap().status(), 200);
    let uploads = uploads.lock();
    assert_eq!(uploads.len(), 2);
    assert!(uploads.iter().all(|upload| *upload == bytes));
}

#[tokio::test(start_paused = true)]
async fn a_body_from_a_factory_is_made_anew() {
    let network = Network::new();
    let (_server, uploads) = refuses_once(&network);
    let body = Body::from_fn(|| chunks(16, 64 * 1024));
    let request = pool(&network).post(URL).body(body);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let lengths: Vec<_> = uploads.lock().iter().map(Bytes::len).collect();
    assert_eq!(lengths, [1 << 20, 1 << 20]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_within_the_cap_is_sent_again() {
    let network = Network::new();
    let (_server, uploads) = refuses_once(&network);
    let request = pool(&network).post(URL).body(chunks(4, 1000));
    assert_eq!(request.send().await.unwrap().status(), 200);
    let lengths: Vec<_> = uploads.lock().iter().map(Bytes::len).collect();
    assert_eq!(lengths, [4000, 4000]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_over_the_cap_goes_out_once_and_the_retry_is_given_up() {
    let network = Network::new();
    let (_server, uploads) = refuses_once(&network);
    let (tell, mut told) = unbounded_channel();
    let pool = on(&network)
        .on_give_up(move |given_up| tell.send(given_up.reason()).unwrap())
        .build()
        .unwrap();
    let request = pool.post(URL).body(chunks(16, 64 * 1024));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.retry_info().unwrap().gave_up);
    let lengths: Vec<_> = uploads.lock().iter().map(Bytes::len).collect();
    assert_eq!(lengths, [1 << 20]);
    assert_eq!(told.recv().await, Some(GiveUpReason::Body));
}

/// A connection that the server has closed meanwhile costs the request nothing: no wait, no retry.
#[tokio::test(start_paused = true)]
async fn a_request_lost_on_a_stale_connection_is_sent_again_at_once() {
    let (_network, listener, pool) = pool_and_listener(|b| b);
    let begun = tokio::time::Instant::now();
    let first = tokio::spawn(pool.get(URL).send());
    let mut stale = peer(&listener).await;
    stale.read_head().await.unwrap();
    stale.respond("200 OK", "").await.unwrap();
    first.await.unwrap().unwrap();
    settle().await;

    let (tell, mut told) = unbounded_channel();
    let request = pool.get(URL).on_retry(move |retry| {
        let _ = tell.send((retry.is_resend(), retry.delay()));
    });
    let second = tokio::spawn(request.send());
    // It is on the wire already when the server hangs up.
    stale.read_head().await.unwrap();
    stale.close().await.unwrap();
    let mut fresh = peer(&listener).await;
    fresh.read_head().await.unwrap();
    fresh.respond("200 OK", "again").await.unwrap();
    let response = second.await.unwrap().unwrap();
    assert_eq!(response.retry_info().unwrap().attempts, 2);
    assert_eq!(response.text().await.unwrap(), "again");
    assert_eq!(told.recv().await, Some((true, std::time::Duration::ZERO)));
    assert_eq!(begun.elapsed(), std::time::Duration::ZERO);
}
