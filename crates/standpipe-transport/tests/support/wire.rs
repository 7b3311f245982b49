//! HTTP/2 connections whose server's side the test plays frame by frame.

#![allow(dead_code, reason = "no test file uses all of it")]

use standpipe_core::{Error, RequestSent};
use standpipe_test::H2Peer;
use standpipe_test::memory::{Listener, MemoryStream, Network};
use standpipe_transport::{Transport, TransportBuilder};

use crate::support::{A, Sent, answer_to, get, over_http2, secs, send, settle, stats, until};

pub(crate) type Peer = H2Peer<MemoryStream>;

/// A transport that speaks HTTP/2 and may have two connections.
pub(crate) struct Wire {
    pub(crate) network: Network,
    pub(crate) listener: Listener,
    pub(crate) transport: Transport,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(configure: impl FnOnce(TransportBuilder) -> TransportBuilder) -> Self {
        let network = Network::new();
        let listener = network.listen("a.test:80");
        let builder = over_http2(&network)
            .max_connections_per_host(2)
            .max_idle_per_host(2);
        let transport = configure(builder).build().unwrap();
        Self {
            network,
            listener,
            transport,
        }
    }

    pub(crate) fn get(&self) -> Sent {
        send(&self.transport, get(A))
    }

    /// The server's side of the next connection.
    pub(crate) async fn accept(&self, settings: &[(u16, u32)]) -> Peer {
        // Where nothing else can happen, the paused clock runs on to this.
        let dialled = tokio::time::timeout(secs(100_000), self.listener.accept());
        let stream = dialled.await.expect("a connection is dialled");
        H2Peer::accept(stream, settings).await.unwrap()
    }

    /// A connection that has carried one request.
    pub(crate) async fn used(&self, settings: &[(u16, u32)]) -> Peer {
        let first = self.get();
        let mut peer = self.accept(settings).await;
        let stream = peer.request().await.unwrap();
        peer.respond(stream, "first").await.unwrap();
        assert_eq!(answer_to(first).await.unwrap(), "first");
        settle().await;
        peer
    }

    /// A connection with `n` requests under way, in the order of their streams.
    pub(crate) async fn busy(&self, n: usize) -> (Peer, Vec<(u32, Sent)>) {
        let mut peer = self.used(&[]).await;
        let mut requests = Vec::new();
        for _ in 0..n {
            let sent = self.get();
            requests.push((peer.request().await.unwrap(), sent));
        }
        (peer, requests)
    }

    /// The next request is answered on a new connection.
    pub(crate) async fn assert_goes_elsewhere(&self) -> Peer {
        let dials = self.network.dials();
        let next = self.get();
        let mut peer = self.accept(&[]).await;
        let stream = peer.request().await.unwrap();
        peer.respond(stream, "elsewhere").await.unwrap();
        assert_eq!(answer_to(next).await.unwrap(), "elsewhere");
        assert_eq!(self.network.dials(), dials + 1);
        peer
    }

    /// The next request is answered on this connection.
    pub(crate) async fn assert_goes_here(&self, peer: &mut Peer) {
        let dials = self.network.dials();
        let next = self.get();
        let stream = peer.request().await.unwrap();
        peer.respond(stream, "here").await.unwrap();
        assert_eq!(answer_to(next).await.unwrap(), "here");
        assert_eq!(self.network.dials(), dials);
    }

    /// No stream is in use, and nobody waits.
    pub(crate) async fn quiet(&self) {
        until(|| {
            let now = stats(&self.transport);
            (now.active, now.streams, now.waiting, now.dialing) == (0, 0, 0, 0)
        })
        .await;
    }
}

/// Surely not acted on, so that it may be sent again whatever it is.
#[track_caller]
pub(crate) fn assert_untouched(error: &Error) {
    assert_eq!(error.request_sent(), RequestSent::No, "{error:?}");
    assert!(error.calls_for_resend(), "{error:?}");
}
