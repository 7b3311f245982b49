mod connection;
mod ends;
mod http2;
mod late;
mod message;
mod reply;
mod request;
mod script;
mod tls;

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::request::Builder;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::client::conn;
use tokio::time::{Instant, timeout};

use super::{FaultServer, FaultServerBuilder, Reply};
use crate::clients;
use crate::memory::Network;

const ADDRESS: &str = "api.example.com:80";
const URL: &str = "http://api.example.com/";
const SECOND: Duration = Duration::from_secs(1);

type RequestBody = UnsyncBoxBody<Bytes, Infallible>;
type Http1 = conn::http1::SendRequest<RequestBody>;
type Http2 = conn::http2::SendRequest<RequestBody>;

/// A server in memory, and a connection of raw hyper to it.
struct Test {
    network: Network,
    server: FaultServer,
    client: Client,
}

enum Client {
    Http1(Http1),
    Http2(Http2),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

impl Test {
    async fn new(protocol: Protocol, script: FaultServerBuilder) -> Self {
        let network = Network::new();
        let script = match protocol {
            Protocol::Http1 => script.http1(),
            Protocol::Http2 => script.http2(),
        };
        let server = script.start_on(network.listen(ADDRESS));
        let client = Client::dial(protocol, &network).await;
        Self {
            network,
            server,
            client,
        }
    }

    async fn get(&mut self) -> hyper::Result<Response<Incoming>> {
        self.client.send(get()).await
    }

    /// Nothing comes of it, however long one waits.
    async fn get_stalls(&mut self) {
        let stalled = timeout(3600 * SECOND, self.get()).await;
        assert!(stalled.is_err(), "{stalled:?}");
    }

    /// The server lets go of the connection when the client does.
    async fn closes_with_the_client(self) {
        drop(self.client);
        self.server.until(|stats| stats.open == 0).await;
    }
}

impl Client {
    async fn dial(protocol: Protocol, network: &Network) -> Self {
        let io = network.dial(ADDRESS).await.unwrap();
        match protocol {
            Protocol::Http1 => Self::Http1(clients::http1(io).await),
            Protocol::Http2 => Self::Http2(clients::http2(io).await),
        }
    }

    async fn send(&mut self, request: Request<RequestBody>) -> hyper::Result<Response<Incoming>> {
        let answer = async {
            match self {
                Self::Http1(client) => {
                    client.ready().await?;
                    client.send_request(request).await
                }
                Self::Http2(client) => {
                    client.ready().await?;
                    client.send_request(request).await
                }
            }
        };
        in_time(answer).await
    }

    fn http2(&mut self) -> &mut Http2 {
        match self {
            Self::Http2(client) => client,
            Self::Http1(_) => panic!("a client of HTTP/1.1"),
        }
    }
}

fn hello() -> FaultServerBuilder {
    FaultServer::builder().reply(Reply::new(200).body("hello"))
}

fn get() -> Request<RequestBody> {
    with_body(Request::get(URL), Bytes::new())
}

fn post(bytes: usize) -> Request<RequestBody> {
    with_body(Request::post(URL), vec![b'b'; bytes])
}

fn with_body(request: Builder, body: impl Into<Bytes>) -> Request<RequestBody> {
    let body = Full::from(body.into()).boxed_unsync();
    request.body(body).unwrap()
}

async fn body(response: Response<Incoming>) -> hyper::Result<Bytes> {
    Ok(in_time(response.into_body().collect()).await?.to_bytes())
}

/// A day of paused time is for ever: a test that would hang fails.
async fn in_time<F: Future>(future: F) -> F::Output {
    timeout(24 * 3600 * SECOND, future).await.expect("an end")
}

/// The next piece of a body.
async fn piece(body: &mut Incoming) -> hyper::Result<Bytes> {
    let frame = body.frame().await.expect("more of the body")?;
    Ok(frame.into_data().expect("data"))
}

/// The innermost error that is of a kind.
fn find<E: Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        source = error.source();
    }
    None
}

#[track_caller]
fn assert_reset(error: &hyper::Error) {
    let kind = io_kind(error);
    assert_eq!(kind, Some(io::ErrorKind::ConnectionReset), "{error:?}");
}

/// What went wrong below HTTP.
fn io_kind(error: &hyper::Error) -> Option<io::ErrorKind> {
    let h2 = find::<h2::Error>(error).and_then(h2::Error::get_io);
    find::<io::Error>(error).or(h2).map(io::Error::kind)
}

/// The code by which the server has reset the stream or gone away.
#[track_caller]
fn code_of(error: &hyper::Error) -> u32 {
    let reason = find::<h2::Error>(error).and_then(h2::Error::reason);
    u32::from(reason.unwrap_or_else(|| panic!("no code: {error:?}")))
}

/// Counts the informational answers to a request, which are all of that status.
fn count_informational(request: &mut Request<RequestBody>, status: u16) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    hyper::ext::on_informational(request, move |response| {
        assert_eq!(response.status(), status);
        counted.fetch_add(1, Ordering::SeqCst);
    });
    count
}
