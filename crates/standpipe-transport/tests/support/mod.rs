//! What the tests share.

#![allow(dead_code, reason = "no test file uses all of it")]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use standpipe_core::{Body, Error};
use standpipe_test::memory::{Listener, MemoryStream, Network};
use standpipe_test::{Ca, Peer, Server, ServerBuilder};
use standpipe_transport::{
    ConnectionStats, Protocol, ResponseFuture, TlsConfig, Transport, TransportBuilder,
};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::Service;

pub(crate) const A: &str = "http://a.test/";
pub(crate) const B: &str = "http://b.test/";

pub(crate) fn get(url: &str) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

pub(crate) fn post(url: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(url).body(body.into()).unwrap()
}

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A transport that dials `network`.
pub(crate) fn over(network: &Network) -> TransportBuilder {
    Transport::builder().connector(network.connector())
}

/// The settings of TLS that trust `ca` alone.
pub(crate) fn trusting(ca: &Ca) -> TlsConfig {
    TlsConfig::default().roots([ca.certificate_der()])
}

/// A transport that speaks HTTP/2 without TLS.
pub(crate) fn over_http2(network: &Network) -> TransportBuilder {
    over(network).protocol(Protocol::Http2)
}

pub(crate) fn stats(transport: &Transport) -> ConnectionStats {
    transport.stats().total
}

// ---- requests ----

/// A request that runs in a task of its own.
pub(crate) type Sent = JoinHandle<Result<Response<Body>, Error>>;

/// Sends a request: it has its connection, or its place in the queue, when this returns.
pub(crate) fn send(transport: &Transport, request: Request<Body>) -> Sent {
    let answer = transport.clone().call(request);
    tokio::spawn(async move { answer.await.map_err(Error::from_boxed) })
}

/// Sends a request and waits for the response head.
pub(crate) async fn head_of(
    transport: &Transport,
    request: Request<Body>,
) -> Result<Response<Body>, Error> {
    let answer = transport.clone().call(request).await;
    answer.map_err(Error::from_boxed)
}

/// Sends a request and reads all of the response.
pub(crate) async fn fetch(transport: &Transport, request: Request<Body>) -> Result<Bytes, Error> {
    read(head_of(transport, request).await?).await
}

pub(crate) async fn read(response: Response<Body>) -> Result<Bytes, Error> {
    Ok(response.into_body().collect().await?.to_bytes())
}

/// What a request in a task of its own was answered, body and all.
pub(crate) async fn answer_to(sent: Sent) -> Result<Bytes, Error> {
    read(sent.await.unwrap()?).await
}

/// The error of a request in a task of its own.
pub(crate) async fn failure_of(sent: Sent) -> Error {
    sent.await.unwrap().map(drop).unwrap_err()
}

/// A request that the test polls by hand.
#[derive(Debug)]
pub(crate) struct Polled(Pin<Box<ResponseFuture>>);

impl Polled {
    pub(crate) fn new(transport: &Transport, request: Request<Body>) -> Self {
        Self(Box::pin(transport.clone().call(request)))
    }

    /// As [`new`](Self::new), after one poll that finds no answer.
    #[track_caller]
    pub(crate) fn waiting(transport: &Transport, request: Request<Body>) -> Self {
        let mut polled = Self::new(transport, request);
        assert!(polled.poll().is_none());
        polled
    }

    pub(crate) fn poll(&mut self) -> Option<Result<Response<Body>, Error>> {
        let mut cx = Context::from_waker(Waker::noop());
        match self.0.as_mut().poll(&mut cx) {
            Poll::Ready(answer) => Some(answer.map_err(Error::from_boxed)),
            Poll::Pending => None,
        }
    }
}

// ---- servers ----

/// The server's side of the next connection.
pub(crate) async fn accept(listener: &Listener) -> Peer<MemoryStream> {
    Peer::new(listener.accept().await)
}

/// Reads a request's head and gives its path.
pub(crate) async fn path(peer: &mut Peer<MemoryStream>) -> String {
    let head = peer.read_head().await.unwrap();
    head.split(' ').nth(1).unwrap().to_owned()
}

/// Answers the next request with its own path.
pub(crate) async fn echo(peer: &mut Peer<MemoryStream>) -> String {
    let path = path(peer).await;
    peer.respond("200 OK", &path).await.unwrap();
    path
}

/// A server that answers each request with its own path.
pub(crate) fn echoing() -> ServerBuilder {
    Server::builder().handler(|request| async move {
        let path = request.uri().path().to_owned();
        Response::new(http_body_util::Full::from(path))
    })
}

/// A server that answers each request with its own path and a transport that dials `network`, which
/// both speak HTTP/2 or both HTTP/1.1.
pub(crate) fn echoing_by(http2: bool, network: &Network) -> (ServerBuilder, TransportBuilder) {
    match http2 {
        true => (echoing().http2(), over_http2(network)),
        false => (echoing(), over(network)),
    }
}

// ---- time ----

/// Lets all tasks run until each of them waits for something. It needs the current-thread runtime.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Moves the paused clock on and lets all tasks run.
pub(crate) async fn pass(time: Duration) {
    tokio::time::advance(time).await;
    settle().await;
}

/// Lets the other tasks run until `wished` is so.
#[track_caller]
pub(crate) fn until(mut wished: impl FnMut() -> bool) -> impl Future<Output = ()> {
    const TURNS: u32 = 1_000_000;
    let caller = std::panic::Location::caller();
    async move {
        let begun = Instant::now();
        let mut looked = begun;
        loop {
            for _ in 0..TURNS {
                if wished() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            // A clock that stands still is a paused one: turns are all there is to wait for. Else other
            // threads and the kernel may need time, however many turns this one had.
            let now = Instant::now();
            let hope = now > looked && now - begun < secs(60);
            assert!(hope, "what is waited for at {caller} does not come");
            looked = now;
        }
    }
}

/// Waits until no connection is in use or being opened and no request waits, and gives the figures. The last answer
/// may be there before its connection has come back.
pub(crate) async fn at_rest(transport: &Transport) -> ConnectionStats {
    until(|| {
        let stats = stats(transport);
        (stats.active, stats.streams, stats.waiting, stats.dialing) == (0, 0, 0, 0)
    })
    .await;
    stats(transport)
}
