//! One connection whose server's side the test plays.

#![allow(dead_code, reason = "no test file uses all of it")]

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::channel::{Channel, Sender};
use standpipe_core::{Body, Error};
use standpipe_test::Peer;
use standpipe_test::memory::{Listener, MemoryStream, Network};
use standpipe_transport::{Transport, TransportBuilder};

use crate::support::{A, Sent, accept, answer_to, echo, get, over, read, send, settle, stats};

/// A transport that may have one connection, and the network on which the test is its server.
pub(crate) struct Scripted {
    pub(crate) network: Network,
    pub(crate) listener: Listener,
    pub(crate) transport: Transport,
}

impl Scripted {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(configure: impl FnOnce(TransportBuilder) -> TransportBuilder) -> Self {
        Self::on(Network::new(), configure)
    }

    pub(crate) fn on(
        network: Network,
        configure: impl FnOnce(TransportBuilder) -> TransportBuilder,
    ) -> Self {
        let listener = network.listen("a.test:80");
        let builder = over(&network)
            .max_connections_per_host(1)
            .max_idle_per_host(1);
        let transport = configure(builder).build().unwrap();
        Self {
            network,
            listener,
            transport,
        }
    }

    /// Sends `request` on a new connection and reads its head.
    pub(crate) async fn begin(&self, request: Request<Body>) -> Begun {
        let sent = send(&self.transport, request);
        let mut peer = accept(&self.listener).await;
        let head = peer.read_head().await.unwrap();
        Begun { sent, peer, head }
    }

    /// A GET answered with the bytes of `answer`, on a new connection.
    pub(crate) async fn exchange(&self, answer: impl AsRef<[u8]>) -> Exchanged {
        self.exchange_of(get(A), answer).await
    }

    /// As [`exchange`](Self::exchange) for any request.
    pub(crate) async fn exchange_of(
        &self,
        request: Request<Body>,
        answer: impl AsRef<[u8]>,
    ) -> Exchanged {
        let mut begun = self.begin(request).await;
        // A client that has seen enough may have closed.
        let _ = begun.peer.write(answer).await;
        let answer = match begun.sent.await.unwrap() {
            Ok(response) => read(response).await,
            Err(error) => Err(error),
        };
        settle().await;
        Exchanged {
            answer,
            peer: begun.peer,
        }
    }

    /// The connection carries another request, which gets its own answer.
    #[track_caller]
    pub(crate) fn assert_reused(
        &self,
        mut peer: Peer<MemoryStream>,
    ) -> impl Future<Output = ()> + '_ {
        let now = stats(&self.transport);
        assert_eq!((now.active, now.idle), (0, 1), "it is in the pool");
        let dials = self.network.dials();
        async move {
            let next = send(&self.transport, get("http://a.test/next"));
            assert_eq!(echo(&mut peer).await, "/next");
            assert_eq!(answer_to(next).await.unwrap(), "/next");
            assert_eq!(self.network.dials(), dials);
        }
    }

    /// The client has closed the connection, and the next request gets its own answer on another.
    #[track_caller]
    pub(crate) fn assert_closed(
        &self,
        mut peer: Peer<MemoryStream>,
    ) -> impl Future<Output = ()> + '_ {
        let now = stats(&self.transport);
        assert_eq!((now.active, now.idle), (0, 0), "it is not in the pool");
        async move {
            peer.closed().await;
            assert_eq!(self.network.open_connections(), 0);
            self.assert_works().await;
        }
    }

    /// The next request is answered on a new connection.
    pub(crate) async fn assert_works(&self) {
        let next = send(&self.transport, get("http://a.test/next"));
        assert_eq!(echo(&mut accept(&self.listener).await).await, "/next");
        assert_eq!(answer_to(next).await.unwrap(), "/next");
    }
}

/// A request that has been read and not yet answered.
pub(crate) struct Begun {
    pub(crate) sent: Sent,
    pub(crate) peer: Peer<MemoryStream>,
    pub(crate) head: String,
}

impl Begun {
    /// The response's head, which must come.
    pub(crate) async fn head(self) -> (Response<Body>, Peer<MemoryStream>) {
        (self.sent.await.unwrap().unwrap(), self.peer)
    }
}

/// An exchange that is over.
pub(crate) struct Exchanged {
    pub(crate) answer: Result<Bytes, Error>,
    pub(crate) peer: Peer<MemoryStream>,
}

/// A POST whose body the test sends bit by bit.
pub(crate) fn streaming_post(url: &str) -> (Sender<Bytes, Error>, Request<Body>) {
    let (sender, body) = Channel::<Bytes, Error>::new(4);
    (sender, Request::post(url).body(Body::new(body)).unwrap())
}
