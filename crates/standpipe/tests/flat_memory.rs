//! What is held while a body that is much larger than any buffer goes by, in either direction. Alone in
//! its binary, since the allocator counts for all of it.
//!
//! `STANDPIPE_BODY_MIB` says how large the body is: 64 unless set.

use std::alloc::System;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Incoming;
use standpipe::{Body, Pool, Protocol};
use standpipe_test::memory::Network;
use standpipe_test::{Server, ServerBuilder};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PIECE: usize = 64 * 1024;

/// More than all buffers on both sides of the connection, and far less than the body.
const MOST: usize = 4 * 1024 * 1024;

fn pieces() -> usize {
    let mib = std::env::var("STANDPIPE_BODY_MIB").ok();
    let mib: usize = mib.map_or(64, |mib| mib.parse().expect("a number"));
    mib * 1024 * 1024 / PIECE
}

/// Bytes on the heap at the moment.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats
        .bytes_allocated
        .saturating_sub(stats.bytes_deallocated)
}

/// The same once what came before has gone.
async fn settled() -> usize {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
    held()
}

/// The most that was held at any look.
#[derive(Clone, Default)]
struct Peak(Arc<AtomicUsize>);

impl Peak {
    fn look(&self) {
        self.0.fetch_max(held(), Ordering::Relaxed);
    }
}

/// As many pieces as there are, each allocated when it is asked for.
fn body(peak: Peak) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send {
    stream::iter((0..pieces()).map(move |at| {
        peak.look();
        Ok(Bytes::from(vec![at as u8; PIECE]))
    }))
}

fn speaking(protocol: Protocol) -> ServerBuilder {
    match protocol {
        Protocol::Http2 => Server::builder().http2(),
        _ => Server::builder().http1(),
    }
}

fn pool(network: &Network, protocol: Protocol) -> Pool {
    let builder = Pool::builder().connector(network.connector());
    // The body takes as long as the machine needs.
    let builder = builder.protocol(protocol).request_timeout(None);
    builder.build().unwrap()
}

async fn down(protocol: Protocol) -> usize {
    let peak = Peak::default();
    let served = peak.clone();
    let network = Network::new();
    let _server = speaking(protocol)
        .handler(move |_: Request<Incoming>| {
            let frames =
                stream::StreamExt::map(body(served.clone()), |piece| piece.map(Frame::data));
            std::future::ready(Response::new(StreamBody::new(frames)))
        })
        .start_on(network.listen("a.test:80"));
    let pool = pool(&network, protocol);
    let before = settled().await;
    let response = pool.get("http://a.test/").send_streaming().await.unwrap();
    let mut bytes = response.bytes_stream();
    let mut read = 0;
    while let Some(chunk) = bytes.next().await {
        read += chunk.unwrap().len();
        peak.look();
    }
    assert_eq!(read, pieces() * PIECE);
    peak.0.load(Ordering::Relaxed).saturating_sub(before)
}

async fn up(protocol: Protocol) -> usize {
    let peak = Peak::default();
    let received = peak.clone();
    let network = Network::new();
    let _server = speaking(protocol)
        .handler(move |request: Request<Incoming>| {
            let received = received.clone();
            async move {
                let mut body = request.into_body();
                let mut read = 0;
                while let Some(frame) = body.frame().await {
                    read += frame.unwrap().into_data().map_or(0, |data| data.len());
                    received.look();
                }
                assert_eq!(read, pieces() * PIECE);
                Response::new(Empty::<Bytes>::new())
            }
        })
        .start_on(network.listen("a.test:80"));
    let pool = pool(&network, protocol);
    let before = settled().await;
    let upload = Body::from_stream(body(peak.clone()));
    let response = pool
        .put("http://a.test/")
        .body(upload)
        .send_streaming()
        .await;
    assert_eq!(response.unwrap().status(), 200);
    peak.0.load(Ordering::Relaxed).saturating_sub(before)
}

/// One test, so that no other one's bytes are counted.
#[tokio::test]
async fn a_body_of_any_length_takes_no_more_than_the_buffers() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for (way, most) in [("down", down(protocol).await), ("up", up(protocol).await)] {
            println!("{protocol:?}, {way}: {} KiB at the most", most / 1024);
            assert!(most < MOST, "{protocol:?}, {way}: {most} bytes at once");
            assert!(most > 0, "{protocol:?}, {way}: nothing was looked at");
        }
    }
}
