//! What is kept in memory, counted by the allocator. One test, since the count is the process's.

#[path = "../support/mod.rs"]
mod support;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::Frame;
use http_body_util::BodyExt;
use standpipe_core::{Body, Error};
use standpipe_test::memory::Network;
use standpipe_test::{Ca, Server};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::support::{
    A, accept, answer_to, echo, echoing, fetch, get, head_of, over, over_http2, post, send, settle,
    stats, trusting, until,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// Bytes in use now.
fn in_use() -> isize {
    let now = ALLOCATOR.stats();
    // What was reallocated is in both counts already.
    isize::try_from(now.bytes_allocated).unwrap() - isize::try_from(now.bytes_deallocated).unwrap()
}

/// TLS-03
async fn certificates_refused_in_a_loop_leave_nothing() {
    let (network, ca) = (Network::new(), Ca::new());
    let server = echoing().tls(ca.server_config(&["b.test"], &[b"h2", b"http/1.1"]));
    let _server = server.start_on(network.listen("a.test:443"));
    let transport = over(&network).tls(trusting(&ca)).build().unwrap();
    let refused = async |n: usize| {
        for _ in 0..n {
            fetch(&transport, get("https://a.test/")).await.unwrap_err();
        }
        settle().await;
        in_use()
    };
    let before = refused(20).await;
    let grown = refused(100).await - before;
    assert!(grown < 16 * 1024, "{grown} bytes for 100 refusals");
}

/// RES-04
async fn what_an_idle_connection_and_a_host_cost_is_bounded() {
    const HOSTS: isize = 50;
    let network = Network::new();
    let transport = over(&network).build().unwrap();
    let listeners: Vec<_> = (0..HOSTS)
        .map(|n| network.listen(&format!("h{n}.test:80")))
        .collect();
    let before = in_use();
    let mut peers = Vec::new();
    for (n, listener) in listeners.iter().enumerate() {
        let sent = send(&transport, get(&format!("http://h{n}.test/")));
        let mut peer = accept(listener).await;
        echo(&mut peer).await;
        answer_to(sent).await.unwrap();
        peers.push(peer);
    }
    settle().await;
    assert_eq!(stats(&transport).idle, 50);
    let with_connections = in_use() - before;
    transport.close_idle();
    until(|| network.open_connections() == 0).await;
    drop(peers);
    settle().await;
    let hosts = in_use() - before;
    let (host, connection) = (hosts / HOSTS, (with_connections - hosts) / HOSTS);
    // The pipes of the network, and what the server has read, with it.
    println!("{host} bytes a host, {connection} bytes an idle connection");
    assert!(host < 4 * 1024, "{host} bytes a host");
    assert!(
        connection < 32 * 1024,
        "{connection} bytes an idle connection"
    );
}

/// TO-08
async fn requests_that_ended_leave_nothing_behind_not_even_a_timer() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let transport = over(&network).build().unwrap();
    let after = async |n: usize| {
        for _ in 0..n {
            fetch(&transport, get(A)).await.unwrap();
        }
        settle().await;
        in_use()
    };
    let before = after(100).await;
    let grown = after(5_000).await - before;
    assert!(grown < 4 * 1024, "{grown} bytes for 5,000 requests");
}

/// Bytes without end.
struct Flood(Arc<AtomicUsize>);

impl http_body::Body for Flood {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let chunk = vec![7; 16 * 1024];
        self.0.fetch_add(chunk.len(), Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(chunk.into()))))
    }
}

/// RES-05: in either direction, and over either protocol.
async fn a_flood_is_held_up_where_nobody_reads() {
    const MIB: isize = 1024 * 1024;
    for http2 in [false, true] {
        let network = Network::new();
        let builder = if http2 {
            over_http2(&network)
        } else {
            over(&network)
        };
        let transport = builder.build().unwrap();
        let made = Arc::new(AtomicUsize::new(0));
        let answers = Arc::clone(&made);
        let mut server = Server::builder();
        if http2 {
            server = server.http2();
        }
        let server = server.handler(move |request| {
            let flood = Flood(Arc::clone(&answers));
            async move {
                if request.method() == http::Method::POST {
                    // The upload is never read.
                    std::future::pending::<()>().await;
                }
                Response::new(flood)
            }
        });
        let _server = server.start_on(network.listen("a.test:80"));
        let before = in_use();
        let mut response = head_of(&transport, get(A)).await.unwrap();
        response.body_mut().frame().await.unwrap().unwrap();
        settle().await;
        settle().await;
        let grown = in_use() - before;
        assert!(
            grown < 8 * MIB,
            "{grown} bytes of a response, http2: {http2}"
        );
        drop(response);
        settle().await;
        let uploaded = Arc::new(AtomicUsize::new(0));
        let before = in_use();
        let upload = send(&transport, post(A, Body::new(Flood(Arc::clone(&uploaded)))));
        settle().await;
        settle().await;
        let (grown, taken) = (in_use() - before, uploaded.load(Ordering::Relaxed));
        assert!(
            grown < 8 * MIB,
            "{grown} bytes of an upload, http2: {http2}"
        );
        assert!(
            taken > 0 && taken < 8 * 1024 * 1024,
            "{taken} bytes were asked for"
        );
        upload.abort();
        settle().await;
    }
}

/// TLS-03, RES-04, RES-05, TO-08
#[tokio::test(start_paused = true)]
async fn memory_is_bounded() {
    certificates_refused_in_a_loop_leave_nothing().await;
    what_an_idle_connection_and_a_host_cost_is_bounded().await;
    requests_that_ended_leave_nothing_behind_not_even_a_timer().await;
    a_flood_is_held_up_where_nobody_reads().await;
}
