//! Connectors: who opens the plain connection.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::{Connection, HttpConnector, HttpInfo};
use hyper_util::rt::TokioIo;
use standpipe_core::{BoxError, Error, ErrorKind};
use tower_service::Service;

use crate::config::TcpConfig;
use crate::conn::BoxIo;
use crate::dial::{Bound, fault};
use crate::dns::{AddressFilter, Lookups};

/// A service that opens a connection to the host and port of a URI.
///
/// Every `Service<Uri>` whose response is IO in hyper's sense and tells of itself by
/// hyper-util's [`Connection`] is one: hyper-util's `HttpConnector`, its proxy connectors, those
/// of others. It gives the plain connection; the transport does TLS itself, unless it was told
/// that the connector does (`tls_by_connector`).
pub trait Connector:
    Service<
        Uri,
        Response: Read + Write + Connection + Send + Unpin + 'static,
        Error: Into<BoxError>,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Connector for S where
    S: Service<
            Uri,
            Response: Read + Write + Connection + Send + Unpin + 'static,
            Error: Into<BoxError>,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// A plain connection, and what its connector said of it.
pub(crate) struct Connected {
    pub(crate) io: BoxIo,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) local: Option<SocketAddr>,
    /// A connector that does TLS itself negotiated HTTP/2.
    pub(crate) negotiated_h2: bool,
}

type ConnectFuture = Pin<Box<dyn Future<Output = Result<Connected, BoxError>> + Send>>;

/// Any connector, its type forgotten: dials are rare, and so a transport has no parameter for it.
pub(crate) type BoxConnector = Arc<dyn DynConnector>;

pub(crate) trait DynConnector: Send + Sync {
    fn connect(&self, uri: Uri) -> ConnectFuture;
}

impl fmt::Debug for dyn DynConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

struct Erased<C>(C);

impl<C: Connector> DynConnector for Erased<C> {
    fn connect(&self, uri: Uri) -> ConnectFuture {
        let mut connector = self.0.clone();
        Box::pin(async move {
            let ready = std::future::poll_fn(|cx| connector.poll_ready(cx)).await;
            ready.map_err(Into::into)?;
            let io = connector.call(uri).await.map_err(Into::into)?;
            let connected = io.connected();
            let mut extras = http::Extensions::new();
            connected.get_extras(&mut extras);
            let info = extras.get::<HttpInfo>();
            Ok(Connected {
                peer: info.map(HttpInfo::remote_addr),
                local: info.map(HttpInfo::local_addr),
                negotiated_h2: connected.is_negotiated_h2(),
                io: Box::new(TokioIo::new(io)),
            })
        })
    }
}

pub(crate) fn erase<C: Connector>(connector: C) -> BoxConnector {
    Arc::new(Erased(connector))
}

/// How plain connections are opened. Its address is its identity.
#[derive(Debug)]
pub(crate) enum Way {
    /// By ourselves: a lookup, and TCP to what it found.
    Tcp(Tcp),
    /// By a connector of the user's, whose lookups and TCP are one phase.
    Foreign(BoxConnector),
}

/// TCP by hyper-util's connector over addresses that are known already, so that lookups and
/// connecting are timed apart.
#[derive(Debug)]
pub(crate) struct Tcp {
    pub(crate) config: TcpConfig,
    pub(crate) lookups: Arc<Lookups>,
    pub(crate) filter: Option<AddressFilter>,
}

impl Tcp {
    /// Connects to the first of `addresses` that answers, by happy eyeballs (RFC 8305), within
    /// `bound`, which began with all of `limit` left. Those that are tried one after the other share it.
    pub(crate) async fn connect(
        &self,
        addresses: Vec<SocketAddr>,
        limit: Option<Duration>,
        bound: Bound,
    ) -> Result<Connected, Error> {
        let tried = tried(&addresses);
        let connector = erase(self.connector(addresses, limit));
        let connecting = async {
            // The addresses bring their ports along.
            let connected = connector.connect(Uri::from_static("http://addresses")).await;
            connected.map_err(fault::of_connector)
        };
        let connected = bound.keep(ErrorKind::ConnectTimeout, connecting).await;
        connected.map_err(|error| match limit {
            Some(limit) if error.is_timeout() => {
                error.with_message(format!("{tried}, the limit is {limit:?}"))
            }
            _ => error.with_message(tried),
        })
    }

    fn connector(
        &self,
        addresses: Vec<SocketAddr>,
        limit: Option<Duration>,
    ) -> HttpConnector<Known> {
        let config = &self.config;
        let mut http = HttpConnector::new_with_resolver(Known(addresses));
        http.set_connect_timeout(limit);
        http.set_nodelay(config.nodelay);
        http.set_keepalive(config.keepalive.map(at_most_seconds));
        http.set_keepalive_interval(config.keepalive_interval.map(at_most_seconds));
        http.set_keepalive_retries(config.keepalive_retries.map(|n| n.min(MOST_PROBES)));
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        http.set_tcp_user_timeout(config.user_timeout.map(|time| time.min(MOST_USER_TIMEOUT)));
        http.set_local_address(config.local_address);
        if let Some((v4, v6)) = config.local_addresses {
            http.set_local_addresses(v4, v6);
        }
        http
    }
}

/// What the kernel takes at most; it refuses more, where less is meant by it.
const MOST_SECONDS: Duration = Duration::from_secs(32_767);
const MOST_PROBES: u32 = 127;
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const MOST_USER_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

fn at_most_seconds(time: Duration) -> Duration {
    time.clamp(Duration::from_secs(1), MOST_SECONDS)
}

/// The names of a few addresses.
fn tried(addresses: &[SocketAddr]) -> String {
    const NAMED: usize = 8;
    let mut text = String::from("tried ");
    for (n, address) in addresses.iter().take(NAMED).enumerate() {
        let comma = if n > 0 { ", " } else { "" };
        text.push_str(&format!("{comma}{address}"));
    }
    if let Some(more) = addresses.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// A resolver that has the answer.
#[derive(Clone)]
struct Known(Vec<SocketAddr>);

impl Service<Name> for Known {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        ready(Ok(std::mem::take(&mut self.0).into_iter()))
    }
}
