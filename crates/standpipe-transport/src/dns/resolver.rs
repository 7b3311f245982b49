//! Resolvers: who turns a name into addresses.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use hyper_util::client::legacy::connect::dns::Name;
use standpipe_core::BoxError;
use tower_service::Service;

/// No name has more addresses than this that anybody would try.
const MOST_ADDRESSES: usize = 256;

/// A service that resolves a name to addresses.
///
/// Every resolver written for hyper-util's `HttpConnector` is one: a `Service<Name>` whose response
/// is an iterator of socket addresses, in the order in which they are to be tried. The port of an
/// address counts only where it is not 0 and the URL has its scheme's default port.
///
/// An error tells of a name that does not exist by an [`io::Error`](std::io::Error) of kind
/// [`NotFound`](std::io::ErrorKind::NotFound) in its chain, or by being a
/// [`standpipe_core::Error`] of the kind that it wishes.
pub trait Resolver:
    Service<Name, Response: Iterator<Item = SocketAddr>, Error: Into<BoxError>, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Resolver for S where
    S: Service<Name, Response: Iterator<Item = SocketAddr>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

pub(crate) type Resolving = Pin<Box<dyn Future<Output = Result<Vec<SocketAddr>, BoxError>> + Send>>;

/// Any resolver, its type forgotten.
pub(crate) type BoxResolver = Arc<dyn DynResolver>;

pub(crate) trait DynResolver: Send + Sync {
    /// Does nothing before its first poll.
    fn resolve(&self, name: &str) -> Resolving;
}

impl fmt::Debug for dyn DynResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

struct Erased<R>(R);

impl<R: Resolver> DynResolver for Erased<R> {
    fn resolve(&self, name: &str) -> Resolving {
        let mut resolver = self.0.clone();
        let name = name.parse::<Name>();
        Box::pin(async move {
            let name = name?;
            let ready = std::future::poll_fn(|cx| resolver.poll_ready(cx)).await;
            ready.map_err(Into::into)?;
            let addresses = resolver.call(name).await.map_err(Into::into)?;
            Ok(addresses.take(MOST_ADDRESSES).collect())
        })
    }
}

pub(crate) fn erase<R: Resolver>(resolver: R) -> BoxResolver {
    Arc::new(Erased(resolver))
}
