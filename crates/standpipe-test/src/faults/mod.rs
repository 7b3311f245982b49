//! A server that fails as it is told.
//!
//! A [`FaultServer`] speaks HTTP/1.1 and HTTP/2, with TLS where it is wished, on loopback or on a network
//! in memory. It answers each request by the same [`Reply`], but where its script has a fault: a
//! [`ConnectionFault`] by the number of a connection, a [`Fault`] by that of a request.
//!
//! In memory its pauses and drips obey `tokio::time::pause`, and nothing else of it looks at a clock.
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::{BodyExt, Empty};
//! use hyper_util::rt::TokioIo;
//! use standpipe_test::faults::{At, ConnectionFault, Fault, FaultServer, Reply};
//! use standpipe_test::memory::Network;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let network = Network::new();
//! let server = FaultServer::builder()
//!     .reply(Reply::new(200).body("hello"))
//!     .connection(0, ConnectionFault::Refuse)
//!     .request(1, Reply::new(503).header("retry-after", "1"))
//!     .request(2, Fault::Reset(At::Body(3)))
//!     .start_on(network.listen("api.example.com:80"));
//!
//! network.dial("api.example.com:80").await.unwrap_err();
//! let io = TokioIo::new(network.dial("api.example.com:80").await?);
//! let (mut client, connection) = hyper::client::conn::http1::handshake(io).await?;
//! tokio::spawn(connection);
//! let get = || http::Request::get("/").body(Empty::<Bytes>::new()).unwrap();
//!
//! let response = client.send_request(get()).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "hello");
//!
//! client.ready().await?;
//! assert_eq!(client.send_request(get()).await?.status(), 503);
//!
//! client.ready().await?;
//! let mut body = client.send_request(get()).await?.into_body();
//! assert_eq!(body.frame().await.unwrap()?.into_data().unwrap(), "hel");
//! body.frame().await.unwrap().unwrap_err();
//!
//! let stats = server.stats();
//! assert_eq!((stats.connections, stats.requests), (1, 3));
//! # Ok(()) }
//! ```
//!
//! A server by hyper, which does what a handler says and nothing wrong, is [`Server`](crate::Server); one
//! played by hand, byte by byte or frame by frame, is a [`Peer`](crate::Peer) or an
//! [`H2Peer`](crate::H2Peer).
//!
//! What it does not do: it looks at no path and no field of a request, but what HTTP/1.1 needs to find
//! the request's end. By HTTP/2 it reads no fields at all, so a HEAD is answered with the reply's body.
//! A fault of HTTP/2 that falls on a connection of HTTP/1.1, where TLS left the choice to the client,
//! panics in the server's task: the client sees the connection close, and the panic's message stands in the
//! test's output.

mod bomb;
mod builder;
mod connection;
mod connection_fault;
mod content;
mod fault;
mod http1;
mod http2;
mod plan;
mod play;
mod reply;
mod script;
mod tls;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

pub use builder::FaultServerBuilder;
pub use connection_fault::{ConnectionFault, End};
pub use fault::{At, Fault, Rest};
pub use reply::Reply;

use crate::serving::{Accepted, Running, ServerStats, Source};
use connection::Connection;
use script::Script;

/// A server that fails as it is told; see the [module's page](self).
///
/// It serves from the moment it is started. Dropping it aborts all its tasks, and so closes its
/// connections.
#[derive(Debug)]
pub struct FaultServer {
    running: Running,
}

impl FaultServer {
    /// A server that answers every request with an empty 200, to be made into another.
    pub fn builder() -> FaultServerBuilder {
        FaultServerBuilder::new()
    }

    fn start(script: Script, source: Source) -> Self {
        let tls = script.tls.is_some();
        let script = Arc::new(script);
        let refusals = script.clone();
        let serve = move |accepted: Accepted| {
            let connection = Connection {
                script: script.clone(),
                number: accepted.number,
                counts: accepted.counts,
                spawner: accepted.spawner,
            };
            connection.serve(accepted.io)
        };
        let refuses = move |number| refusals.refuses(number);
        Self {
            running: Running::start(source, tls, refuses, serve),
        }
    }

    /// The socket's address.
    ///
    /// # Panics
    ///
    /// When the server is on an in-memory network, which has no sockets.
    #[track_caller]
    pub fn addr(&self) -> SocketAddr {
        self.running.addr()
    }

    /// The host and port under which it is reached, such as `127.0.0.1:8080`.
    pub fn authority(&self) -> &str {
        self.running.authority()
    }

    /// The URL of a path, such as `/v1?beta`.
    pub fn url(&self, path: &str) -> String {
        self.running.url(path)
    }

    /// What the server has seen so far.
    pub fn stats(&self) -> ServerStats {
        self.running.stats()
    }

    /// Waits until what the server has seen is as wished, and gives it.
    pub async fn until(&self, wished: impl FnMut(&ServerStats) -> bool) -> ServerStats {
        self.running.until(wished).await
    }

    /// Stops at once, whatever is under way, and waits until all its tasks are gone.
    pub async fn shutdown(self) {
        self.running.shutdown().await;
    }
}
