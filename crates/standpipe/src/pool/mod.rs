//! The pool as its users see it.

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
use http::{Method, Request, Response, Uri};
use standpipe_circuit_breaker::Handle;
use standpipe_core::{Body, BoxError, Error, ErrorKind, Origin};
use standpipe_metrics::{HostMetrics, PoolMetrics, Registry};
use standpipe_rate_limit::{ConcurrencyHandle, Handle as LimitHandle};
use standpipe_transport::{Transport, TransportBuilder};
use tower_service::Service;

use crate::stack::KnownHosts;
use crate::{HostClient, HostConfig, IntoUri, PoolBuilder, PoolConfig, RequestBuilder};
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

    /// The settings in force. A policy given to [`PoolBuilder::retry_policy`] goes before those of the
    /// retries here.
    pub fn config(&self) -> &PoolConfig {
        &self.inner.parts.config
    }

    /// What the pool holds at this moment: its connections, and the state of its circuits.
    pub fn stats(&self) -> PoolStats {
        let parts = &self.inner.parts;
        let transport = parts.transport.as_ref().map(Transport::stats);
        PoolStats::of(transport.unwrap_or_default(), parts.hosts.all())
    }

    /// What the pool has done so far, over all hosts. Where [metrics are
    /// off](PoolConfig::metrics), connections alone are counted.
    pub fn metrics(&self) -> PoolMetrics {
        let parts = &self.inner.parts;
        metrics::of_pool(&parts.registry, parts.transport.as_ref())
    }

    /// The same of one host: `"api.example.com"` for all its schemes and ports together, a URL for
    /// one origin, `"_OTHER"` for the hosts beyond
    /// [`max_hosts_in_metrics`](PoolConfig::max_hosts_in_metrics). None where nothing is known of
    /// it.
    pub fn host_metrics(&self, host: &str) -> Option<HostMetrics> {
        let parts = &self.inner.parts;
        metrics::of_host(&parts.registry, parts.transport.as_ref(), host)
    }

    /// The circuit of `origin`, to look at, to wait for and to change by hand. None before the
    /// first request to the origin, where it has no breaker, and once the origin was not used for
    /// [`host_idle_timeout`](PoolConfig::host_idle_timeout): then its next request begins with a
    /// new circuit.
    pub fn circuit_breaker(&self, origin: &Origin) -> Option<Handle> {
        let host = self.inner.parts.hosts.parts(origin)?;
        host.circuit.as_ref().map(|circuit| circuit.handle.clone())
    }

    /// The rate limiter of `origin`, to look at, to pause and to give another quota. None where it has
    /// none, and when [`circuit_breaker`](Self::circuit_breaker) would be.
    pub fn rate_limiter(&self, origin: &Origin) -> Option<LimitHandle> {
        let host = self.inner.parts.hosts.parts(origin)?;
        host.limit.clone()
    }

    /// The limit of `origin` on requests under way, to look at and to change by hand. None where it
    /// has none, and when [`circuit_breaker`](Self::circuit_breaker) would be.
    pub fn concurrency_limit(&self, origin: &Origin) -> Option<ConcurrencyHandle> {
        let host = self.inner.parts.hosts.parts(origin)?;
        host.concurrency().cloned()
    }

    /// Sets what holds for a host from its next request on, in place of what held for the same
    /// `name`; names are those of [`PoolBuilder::host`].
    ///
    /// Requests under way end as they began. A host that has requests already keeps its circuit
    /// breaker, its rate limit and its budget of retries as far as their settings stay the same; a
    /// rate limit with other quotas goes on with what was taken from it. What was set by hand since,
    /// such as a quota by its handle, stays until the same setting changes here.
    ///
    /// # Errors
    ///
    /// [`Config`](standpipe_core::ErrorKind::Config), naming the field, its value and what is
    /// allowed; nothing has changed then.
    pub fn configure_host(&self, name: &str, config: &HostConfig) -> Result<(), Error> {
        let parts = &self.inner.parts;
        let is_meant = parts.own.set(&parts.config, name, config)?;
        parts.hosts.rebuild(&is_meant);
        Ok(())
    }

    /// What was set for single hosts, as it was given.
    pub fn host_configs(&self) -> Vec<(String, HostConfig)> {
        self.inner.parts.own.given()
    }

    /// How long a request to `uri` may take, and a response body be silent, as its host's settings say.
    pub(crate) fn times_of(&self, uri: &Uri) -> (Option<Duration>, Option<Duration>) {
        let parts = &self.inner.parts;
        parts.own.times_of(&parts.config, uri)
    }

    /// The transport at the bottom of the stack: to change limits, evict connections, or look up a
    /// name anew. A request that is sent by it passes none of the layers. None where the pool was
    /// built over another service.
    pub fn transport(&self) -> Option<&Transport> {
        self.inner.parts.transport.as_ref()
    }

    /// Closes all idle connections.
    pub fn close_idle(&self) {
        if let Some(transport) = self.transport() {
            transport.close_idle();
        }
    }

    /// Closes the idle connections to `origin`.
    pub fn close_idle_of(&self, origin: &Origin) {
        if let Some(transport) = self.transport() {
            transport.close_idle_of(origin);
        }
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
