//! The pool as its users see it.

mod control;
mod erased;
mod future;
mod host_configs;
mod metrics;
mod shutdown;
mod stats;

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use standpipe_core::{Body, BoxError, Error, ErrorKind, Origin};
use standpipe_metrics::Registry;
use standpipe_transport::{Transport, TransportBuilder};
use tower_service::Service;

use crate::stack::KnownHosts;
use crate::{HostClient, IntoUri, PoolBuilder, PoolConfig, RequestBuilder};
use erased::{BoxFuture, Erased};
pub use future::PoolFuture;
pub(crate) use host_configs::HostConfigs;
pub use shutdown::Shutdown;
pub use stats::{ConcurrencyStats, OriginStats, PoolStats};

/// An HTTP client: a bounded connection pool with per-host routing, retries, circuit breakers,
/// timeouts and metrics, put together and boxed once.
///
/// It is also a tower service over any request body: see its [`Service`] implementation.
///
/// # Clone
///
/// Cheap; all clones are one pool. Keep one for the life of the program. When the last clone and
/// the last response are gone, every connection is closed.
///
/// ```no_run
/// # async fn run() -> Result<(), standpipe::Error> {
/// let pool = standpipe::Pool::new();
/// let text = pool.get("https://example.com/").send().await?.text().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    service: Box<dyn Erased>,
    parts: Parts,
}

/// What a pool looks at beside its stack.
pub(crate) struct Parts {
    pub(crate) hosts: Arc<dyn KnownHosts>,
    /// None over a service of the user's.
    pub(crate) transport: Option<Transport>,
    pub(crate) registry: Registry,
    pub(crate) config: PoolConfig,
    pub(crate) own: HostConfigs,
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

impl Pool {
    /// A pool with the default settings. It cannot fail and needs no runtime: whether TLS works is
    /// told by the first https request, and a variable of the environment that holds no proxy by the
    /// first request that would go through it.
    pub fn new() -> Self {
        let builder = PoolBuilder::default();
        let builder = builder.configure_transport(TransportBuilder::proxies_told_by_dials);
        match builder.build() {
            Ok(pool) => pool,
            Err(error) => unreachable!("the default settings are in order: {error}"),
        }
    }

    /// Sets a pool up.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    pub(crate) fn of(stack: impl Erased + 'static, parts: Parts) -> Self {
        Self {
            inner: Arc::new(Inner {
                service: Box::new(stack),
                parts,
            }),
        }
    }

    /// Begins a GET request. A URL that is none is told by [`send`](RequestBuilder::send).
    pub fn get(&self, url: impl IntoUri) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Begins a POST request.
    pub fn post(&self, url: impl IntoUri) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Begins a PUT request.
    pub fn put(&self, url: impl IntoUri) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Begins a PATCH request.
    pub fn patch(&self, url: impl IntoUri) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Begins a DELETE request.
    pub fn delete(&self, url: impl IntoUri) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Begins a HEAD request.
    pub fn head(&self, url: impl IntoUri) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Begins an OPTIONS request.
    pub fn options(&self, url: impl IntoUri) -> RequestBuilder {
        self.request(Method::OPTIONS, url)
    }

    /// Begins a request of any method.
    pub fn request(&self, method: Method, url: impl IntoUri) -> RequestBuilder {
        RequestBuilder::new(self.clone(), method, url.into_uri())
    }

    /// Goes on with a request that was made elsewhere, as if it had been begun here: its headers,
    /// extensions and deadline stay with it. [`RequestBuilder::build`] is the way back.
    ///
    /// ```
    /// # fn build(pool: standpipe::Pool) -> Result<(), standpipe::Error> {
    /// let made = http::Request::get("http://example.com/").body(standpipe::Body::empty()).unwrap();
    /// let request = pool.request_from(made).bearer_auth("token");
    /// let made: http::Request<standpipe::Body> = request.try_into()?;
    /// assert!(made.headers().contains_key("authorization"));
    /// # Ok(()) }
    /// # build(standpipe::Pool::new()).unwrap();
    /// ```
    pub fn request_from<B>(&self, request: Request<B>) -> RequestBuilder
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        RequestBuilder::of(self.clone(), request)
    }

    /// This pool seen from one base URL, with headers of its own: `"https://api.example.com/v1/"`.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](standpipe_core::ErrorKind::InvalidRequest) or
    /// [`UnsupportedScheme`](standpipe_core::ErrorKind::UnsupportedScheme) for what is no such URL.
    pub fn host_client(&self, base: impl IntoUri) -> Result<HostClient, Error> {
        HostClient::new(self.clone(), base)
    }

    /// A pool over `service` in place of a transport, with the default settings but for the retry and
    /// the circuit breaker, which are off: what the service answers is what the caller gets. It is the
    /// way to test code that takes a `Pool`; [`PoolBuilder::transport`] is the one with settings.
    pub fn from_service<S, R>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<R>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        R: http_body::Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let builder = PoolBuilder::default()
            .without_retry()
            .without_circuit_breaker()
            .transport(service);
        match builder.build() {
            Ok(pool) => pool,
            Err(error) => unreachable!("the default settings are in order: {error}"),
        }
    }

    /// Sends a request that was made elsewhere. The body comes back as it is, without a limit.
    ///
    /// # Errors
    ///
    /// As [`RequestBuilder::send`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives its connection and its place in the queue back.
    pub fn execute<B>(&self, request: Request<B>) -> PoolFuture
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        PoolFuture::new(self.call_erased(Body::for_request(request)))
    }

    /// Opens connections to the origin of `url` until `n` are there, used or idle, so that requests
    /// need not wait for the dial. An HTTP/2 connection counts as one. Gives how many there are in
    /// the end: fewer than `n` where a limit allows no more, none where the pool was built over
    /// another service.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](standpipe_core::ErrorKind::InvalidRequest) for what is no URL; the error of
    /// a dial that failed; [`Shutdown`](standpipe_core::ErrorKind::Shutdown).
    ///
    /// # Cancel safety
    ///
    /// Dropped, it begins no further dial; those under way go on for whoever comes.
    pub async fn warm(&self, url: impl IntoUri, n: usize) -> Result<usize, Error> {
        let origin = Origin::of_uri(&url.into_uri()?)?;
        match self.transport() {
            Some(transport) => transport.warm(&origin, n).await,
            None => Ok(0),
        }
    }

    /// Shuts the pool down. At once: new requests are refused with
    /// [`Shutdown`](standpipe_core::ErrorKind::Shutdown), and so are those that have no attempt under
    /// way, because they wait for a rate limit, for a connection, or for their next attempt; idle
    /// connections are closed. Requests under way and their bodies have until the end of `grace`; then
    /// they are cut with the same error. The report says how many ended in which way.
    ///
    /// Over another service than our transport, requests under way are not waited for and not cut: what
    /// that service was called with goes on.
    ///
    /// # Cancel safety
    ///
    /// The pool is closed when this returns. Dropped, the future takes the end of the grace with it:
    /// what is under way goes on to its own end.
    ///
    /// # Clone
    ///
    /// It holds for all clones, and may be called again.
    ///
    /// # Panics
    ///
    /// The future, where it has to wait and is polled outside a tokio runtime.
    pub fn shutdown(&self, grace: Duration) -> Shutdown {
        // First what waits above the transport: none of it is to go out any more.
        let waiting = self.inner.parts.own.close();
        let transport = self.transport().map(|transport| transport.shutdown(grace));
        Shutdown::new(transport, waiting)
    }

    /// Whether the pool was shut down.
    pub fn is_closed(&self) -> bool {
        self.inner.parts.own.is_closed()
    }

    #[cfg(test)]
    pub(crate) fn own_settings(&self) -> Arc<crate::stack::HostSettings> {
        self.inner.parts.own.settings()
    }

    fn call_erased(&self, request: Request<Body>) -> BoxFuture {
        if self.is_closed() {
            return Box::pin(std::future::ready(Err(Error::new(ErrorKind::Shutdown))));
        }
        self.inner.service.call(request)
    }
}

/// Always ready: a request waits inside its future.
impl<B> Service<Request<B>> for Pool
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = PoolFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> PoolFuture {
        self.execute(request)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("config", &self.inner.parts.config)
            .finish_non_exhaustive()
    }
}
