//! What the tests share.

#![allow(dead_code, reason = "no test file uses all of it")]

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use standpipe::{ConnectionStats, Error, ErrorKind, Pool, PoolBuilder};
use standpipe_test::memory::{Listener, MemoryStream, Network};
use standpipe_test::{Peer, Server};
use tokio::task::JoinHandle;

pub(crate) const URL: &str = "http://a.test/";

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A builder of a pool that dials `network`.
pub(crate) fn on(network: &Network) -> PoolBuilder {
    Pool::builder().connector(network.connector())
}

/// The same, for one connection per host.
pub(crate) fn one_connection_on(network: &Network) -> PoolBuilder {
    on(network).max_connections_per_host(1).max_idle_per_host(1)
}

/// A pool over a network with one listener, for `a.test`.
pub(crate) fn pool_and_listener(
    configure: impl FnOnce(PoolBuilder) -> PoolBuilder,
) -> (Network, Listener, Pool) {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let pool = configure(on(&network)).build().unwrap();
    (network, listener, pool)
}

/// A server that answers with what it was sent: the request line, the headers in order of their
/// names, an empty line, and the body.
pub(crate) fn echo_on(network: &Network, address: &str) -> Server {
    Server::builder()
        .handler(echo)
        .start_on(network.listen(address))
}

pub(crate) async fn echo<B>(request: Request<B>) -> Response<Full<Bytes>>
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let (head, body) = request.into_parts();
    let mut headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let mut text = format!("{} {}\n{}\n", head.method, head.uri, headers.concat()).into_bytes();
    text.extend_from_slice(&body.collect().await.unwrap().to_bytes());
    Response::new(Full::from(text))
}

/// The part of an echo that is the body.
pub(crate) fn echoed_body(echo: &str) -> &str {
    echo.split_once("\n\n").expect("an echo").1
}

/// Whether an echo has this line.
#[track_caller]
pub(crate) fn assert_line(echo: &str, line: &str) {
    assert!(echo.lines().any(|has| has == line), "{line:?} in {echo:?}");
}

/// Sends a GET on a task of its own and reads the answer's body.
pub(crate) fn spawn_get(pool: &Pool, url: &str) -> JoinHandle<Result<String, Error>> {
    let request = pool.get(url);
    tokio::spawn(async move { request.send().await?.text().await })
}

/// The next connection's server side, to be played by hand.
pub(crate) async fn peer(listener: &Listener) -> Peer<MemoryStream> {
    Peer::new(listener.accept().await)
}

/// Lets every task run until all of them wait.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// Waits until no connection is in use or being opened and no request waits, and gives the figures. The last answer
/// may be there before its connection has come back. It needs time that is not paused.
pub(crate) async fn at_rest(pool: &Pool) -> ConnectionStats {
    let at_rest = async {
        loop {
            let stats = pool.stats().total;
            if (stats.active, stats.streams, stats.waiting, stats.dialing) == (0, 0, 0, 0) {
                return stats;
            }
            tokio::task::yield_now().await;
        }
    };
    let at_rest = tokio::time::timeout(secs(60), at_rest).await;
    at_rest.unwrap_or_else(|_| panic!("never at rest: {:?}", pool.stats().total))
}

#[track_caller]
pub(crate) fn assert_acquire_timeout(error: &Error) -> (Duration, usize, usize) {
    match error.kind() {
        ErrorKind::AcquireTimeout {
            waited,
            in_use,
            limit,
        } => (waited, in_use, limit),
        other => panic!("an acquire timeout, not {other:?}"),
    }
}

/// What a future gives at its first poll, outside any runtime.
pub(crate) fn at_once<F: Future>(future: F) -> Option<F::Output> {
    futures_util::FutureExt::now_or_never(future)
}
