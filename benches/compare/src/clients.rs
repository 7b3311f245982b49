//! The clients that are compared. Each is one function, which sets it up with the settings it has
//! by default and drives the load over it.

use std::iter::repeat_n;
use std::num::NonZeroU32;
use std::time::Duration;

use http::{Request, Uri};
use hyper::client::conn::{http1, http2};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use standpipe::{Pool, RateLimitConfig};
use standpipe_core::Origin;
use standpipe_transport::Transport;
use tokio::net::TcpStream;

use crate::load::{Caller, NoBody, Tower, read};
use crate::{BoxError, Load, Protocol};

/// Runs `load` over the client of that name; returns how long it took.
///
/// # Errors
///
/// The first error of the client, or an unknown name.
pub async fn run(client: &str, load: &Load) -> Result<Duration, BoxError> {
    match client {
        "raw" => raw(load).await,
        "legacy" => bare_legacy(load).await,
        "transport" => transport(load).await,
        "origin-transport" => origin_transport(load).await,
        "pool" => pool(load).await,
        "pool-get" => pool_get(load).await,
        "pool-shipped" => pool_shipped(load).await,
        _ => Err(format!("no client has the name {client}").into()),
    }
}

/// hyper's connections without a pool, one for each task: the floor.
async fn raw(load: &Load) -> Result<Duration, BoxError> {
    let connect = async || {
        let stream = TcpStream::connect(load.server).await?;
        stream.set_nodelay(true)?;
        Ok::<_, BoxError>(TokioIo::new(stream))
    };
    match load.protocol {
        Protocol::Http1 => {
            let mut callers = Vec::new();
            for _ in 0..load.at_once {
                let (sender, connection) = http1::handshake(connect().await?).await?;
                tokio::spawn(connection);
                callers.push(Raw1(sender));
            }
            load.drive_bare(callers).await
        }
        Protocol::Http2 => {
            let executor = TokioExecutor::new();
            let (sender, connection) = http2::handshake(executor, connect().await?).await?;
            tokio::spawn(connection);
            let callers = repeat_n(sender, load.at_once).map(Raw2);
            load.drive_bare(callers).await
        }
    }
}

struct Raw1(http1::SendRequest<NoBody>);

impl Caller for Raw1 {
    async fn call(&mut self, request: Request<NoBody>) -> Result<usize, BoxError> {
        self.0.ready().await?;
        read(self.0.send_request(request).await?).await
    }
}

struct Raw2(http2::SendRequest<NoBody>);

impl Caller for Raw2 {
    async fn call(&mut self, request: Request<NoBody>) -> Result<usize, BoxError> {
        self.0.ready().await?;
        read(self.0.send_request(request).await?).await
    }
}

/// hyper-util's pooled client.
async fn bare_legacy(load: &Load) -> Result<Duration, BoxError> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = legacy::Client::builder(TokioExecutor::new())
        .http2_only(load.protocol == Protocol::Http2)
        .build(connector);
    load.drive(repeat_n(client, load.at_once).map(Tower)).await
}

/// Our connection pool alone.
async fn transport(load: &Load) -> Result<Duration, BoxError> {
    let transport = Transport::builder().protocol(spoken(load)).build()?;
    load.drive(repeat_n(transport, load.at_once).map(Tower))
        .await
}

/// The same where the origin was looked up before.
async fn origin_transport(load: &Load) -> Result<Duration, BoxError> {
    let transport = Transport::builder().protocol(spoken(load)).build()?;
    let service = transport.origin(&Origin::of_uri(&load.uri())?);
    load.drive(repeat_n(service, load.at_once).map(Tower)).await
}

/// The whole stack as a tower service.
async fn pool(load: &Load) -> Result<Duration, BoxError> {
    load.drive(repeat_n(new_pool(load)?, load.at_once).map(Tower))
        .await
}

/// The whole stack with its default settings: redirects are followed, and no rate is limited.
async fn pool_shipped(load: &Load) -> Result<Duration, BoxError> {
    let pool = Pool::builder().protocol(spoken(load)).build()?;
    load.drive(repeat_n(pool, load.at_once).map(Tower)).await
}

/// The whole stack by its request builder.
async fn pool_get(load: &Load) -> Result<Duration, BoxError> {
    load.drive(repeat_n(new_pool(load)?, load.at_once).map(PoolGet))
        .await
}

struct PoolGet(Pool);

impl Caller for PoolGet {
    async fn call(&mut self, request: Request<NoBody>) -> Result<usize, BoxError> {
        let (head, _) = request.into_parts();
        let uri: Uri = head.uri;
        let mut request = self.0.get(uri);
        if !head.headers.is_empty() {
            request = request.headers(head.headers);
        }
        Ok(request.send().await?.bytes().await?.len())
    }
}

/// With a limiter that never makes anyone wait, and without redirects.
fn new_pool(load: &Load) -> Result<Pool, BoxError> {
    let plenty = NonZeroU32::new(1_000_000_000).expect("it is not zero");
    let builder = Pool::builder()
        .protocol(spoken(load))
        .max_redirects(None)
        .rate_limit(RateLimitConfig::per_second(plenty));
    Ok(builder.build()?)
}

fn spoken(load: &Load) -> standpipe_transport::Protocol {
    match load.protocol {
        Protocol::Http1 => standpipe_transport::Protocol::Auto,
        Protocol::Http2 => standpipe_transport::Protocol::Http2,
    }
}
