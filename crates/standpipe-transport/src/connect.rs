//! Connectors: who opens the plain connection.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use http::Uri;
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::{Connection, HttpInfo};
use hyper_util::rt::TokioIo;
use standpipe_core::BoxError;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::conn::BoxIo;
use crate::dial::Tcp;

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
                io: plain(io),
            })
        })
    }
}

/// The IO in tokio's sense. That of hyper-util's connector is tokio's own in a wrapper, which comes
/// off: two translations less for each read and write.
fn plain<T: Read + Write + Send + Unpin + 'static>(io: T) -> BoxIo {
    let mut io = Some(io);
    if let Some(tcp) = (&mut io as &mut dyn Any).downcast_mut::<Option<TokioIo<TcpStream>>>()
        && let Some(tcp) = tcp.take()
    {
        return Box::new(tcp.into_inner());
    }
    match io {
        Some(io) => Box::new(TokioIo::new(io)),
        None => unreachable!("taken only where this returned"),
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
