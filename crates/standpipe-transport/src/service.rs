use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use standpipe_core::{Body, BoxError, Deadline, Error, Origin, OriginMap};
use tower_service::Service;

use crate::builder::TransportBuilder;
use crate::check;
use crate::config::PoolLimits;
use crate::dns;
use crate::events::{CloseReason, Events};
use crate::exchange::{Outgoing, ResponseFuture, SendBody};
use crate::key::DialConfig;
use crate::pool::{OriginPool, Shared, Shutdown, Warm};
use crate::stats::{self, TransportStats};
use crate::tls::{Tls, TlsConfig};

/// At this many origins, and at each doubling, those without connections and users are forgotten.
const FIRST_SWEEP: usize = 64;

/// A bounded, fair pool of HTTP connections, as a service.
///
/// It is always ready: a request waits for a connection inside its future, in the order of
/// arrival, for no longer than the acquire timeout and its [`Deadline`](standpipe_core::Deadline).
///
/// # Clone
///
/// All clones are one pool. When the last one and the last response body are gone, every
/// connection is closed and no task is left.
#[derive(Clone, Debug)]
pub struct Transport {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    config: Arc<DialConfig>,
    pools: OriginMap<Arc<OriginPool>>,
    sweep_at: std::sync::atomic::AtomicUsize,
}

impl Default for Transport {
    /// A transport with the default settings. It needs no runtime before the first request.
    fn default() -> Self {
        TransportBuilder::default().build_unchecked()
    }
}

impl Transport {
    /// Sets a transport up.
    pub fn builder() -> TransportBuilder {
        TransportBuilder::default()
    }

    pub(crate) fn new(limits: &PoolLimits, config: Arc<DialConfig>, events: Events) -> Self {
        Self::with(Arc::new(Shared::new(limits, events)), config)
    }

    fn with(shared: Arc<Shared>, config: Arc<DialConfig>) -> Self {
        Self {
            inner: Arc::new(Inner {
                shared,
                config,
                pools: OriginMap::new(),
                sweep_at: FIRST_SWEEP.into(),
            }),
        }
    }

    /// The same pool with another TLS identity: both share the limits on connections, and never
    /// a connection or a TLS session.
    #[must_use]
    pub fn with_tls(&self, tls: TlsConfig) -> Self {
        let mut config = DialConfig::clone(&self.inner.config);
        config.tls = Tls::new(tls, config.protocol);
        Self::with(Arc::clone(&self.inner.shared), Arc::new(config))
    }

    /// The service of one origin: it finds its connections without looking anything up.
    pub fn origin(&self, origin: &Origin) -> OriginTransport {
        let pools = &self.inner.pools;
        let pool = pools
            .get_origin(origin)
            .unwrap_or_else(|| pools.insert_if_absent(origin, self.make(origin)));
        OriginTransport { pool }
    }

    /// What the pool holds and has done. It takes each origin's lock once.
    pub fn stats(&self) -> TransportStats {
        self.stats_where(|_| true)
    }

    /// The same for those origins alone that `which` is true for; no other's lock is taken.
    pub fn stats_where(&self, mut which: impl FnMut(&Origin) -> bool) -> TransportStats {
        let mut all = TransportStats::default();
        let mut pools = self.inner.shared.pools();
        pools.retain(|pool| which(pool.key.origin()));
        for pool in pools {
            let origin = stats::of_pool(&pool);
            all.total += origin.connections;
            all.origins.push(origin);
        }
        all.origins.sort_by(|a, b| a.origin.cmp(&b.origin));
        all
    }

    /// Closes all idle connections.
    pub fn close_idle(&self) {
        self.inner.shared.close_idle(CloseReason::Evicted);
    }

    /// Closes the idle connections to `origin`.
    pub fn close_idle_of(&self, origin: &Origin) {
        for pool in self.pools_of(origin) {
            pool.close_idle(CloseReason::Evicted);
        }
    }

    /// Takes all connections to `origin` out of further use: those that idle close now, the others when
    /// the request or the streams on them have ended. What is being dialled is not touched. Returns how
    /// many connections those were.
    pub fn evict(&self, origin: &Origin) -> usize {
        let pools = self.pools_of(origin);
        let evicted = pools.map(|pool| pool.retire_where(CloseReason::Evicted, |_| true));
        evicted.sum()
    }

    /// Resolves the name of `origin` anew, and takes the connections to addresses that it no longer has
    /// out of further use, as [`evict`](Self::evict) does. Returns how many those were.
    ///
    /// Rotating answers, which give another part of the addresses each time, would make it close
    /// connections to servers that are well.
    ///
    /// # Errors
    ///
    /// Those of a dial's first phase, such as [`DnsNotFound`](standpipe_core::ErrorKind::DnsNotFound):
    /// nothing is retired then. [`Config`](standpipe_core::ErrorKind::Config) with a connector of the
    /// user's own, which resolves names by itself.
    ///
    /// # Cancel safety
    ///
    /// Dropped before the answer, it has done nothing.
    pub async fn refresh_dns(&self, origin: &Origin) -> Result<usize, Error> {
        let addresses = dns::addresses_of(&self.inner.config, origin).await?;
        let pools = self.pools_of(origin);
        Ok(pools.map(|pool| pool.keep_addresses(&addresses)).sum())
    }

    /// Opens connections to `origin` until `n` are there, used or idle, so that requests need not
    /// wait for the dial. An HTTP/2 connection counts as one.
    ///
    /// The future gives how many there are in the end. Those are fewer than `n` where a limit allows no
    /// more: `warm` closes nothing for its connections and waits for no other to close.
    ///
    /// # Errors
    ///
    /// The error of a dial that failed; [`Shutdown`](standpipe_core::ErrorKind::Shutdown).
    ///
    /// # Cancel safety
    ///
    /// Dropped, it begins no further dial; those under way go on for whoever comes.
    pub fn warm(&self, origin: &Origin, n: usize) -> Warm {
        Warm::new(self.origin(origin).pool, n)
    }

    /// Sets new limits, of this transport and of all that share its pool.
    ///
    /// Where there are more connections than are allowed from now on, none is opened until there are
    /// fewer; those that idle close, those in use close when they come back, and no request is
    /// disturbed. How long a connection may idle and live, and how many requests it may carry, stays what
    /// it was when the transport was built.
    ///
    /// # Errors
    ///
    /// [`Config`](standpipe_core::ErrorKind::Config), naming the field, its value and what is allowed.
    pub fn set_limits(&self, limits: &PoolLimits) -> Result<(), Error> {
        check::limits(limits)?;
        self.inner.shared.set_limits(limits);
        Ok(())
    }

    /// Refuses new requests with [`Shutdown`](standpipe_core::ErrorKind::Shutdown), fails those that
    /// wait for a connection, ends the dials, and closes what is idle. Requests under way and their
    /// bodies go on. Returns how many were waiting.
    pub fn close(&self) -> usize {
        self.inner.shared.close().waiting
    }

    /// Shuts the pool down: at once as [`close`](Self::close) does; and whatever is under way when
    /// `grace` is over is cut, with the error [`Shutdown`](standpipe_core::ErrorKind::Shutdown). What
    /// is under way are requests, their response bodies, uploads that outlast their response, and
    /// connections handed out by an upgrade: reading from and writing to these fails from then on.
    ///
    /// The future is ready as soon as no connection and no task is left. When some are left one
    /// second after the cut, it says so in its report.
    ///
    /// # Cancel safety
    ///
    /// The pool is closed when this returns. Dropped, the future takes the end of the grace with it: what is under
    /// way goes on to its own end.
    ///
    /// # Clone
    ///
    /// It holds for all clones, and for all transports made by [`with_tls`](Self::with_tls). It may be
    /// called again: each future keeps its own grace.
    ///
    /// # Panics
    ///
    /// The future, where it has to wait and is polled outside a tokio runtime.
    pub fn shutdown(&self, grace: Duration) -> Shutdown {
        Shutdown::begin(Arc::clone(&self.inner.shared), grace)
    }

    fn pools_of<'a>(&self, origin: &'a Origin) -> impl Iterator<Item = Arc<OriginPool>> + 'a {
        let pools = self.inner.shared.pools().into_iter();
        pools.filter(move |pool| pool.key.origin() == origin)
    }

    fn make(&self, origin: &Origin) -> Arc<OriginPool> {
        self.forget_unused();
        self.inner.shared.pool(origin, &self.inner.config)
    }

    /// Keeps the memory of a pool that meets ever new origins in proportion to those in use.
    fn forget_unused(&self) {
        use standpipe_core::sync::atomic::Ordering::{Acquire, Relaxed};
        use standpipe_core::sync::atomic::fence;
        let inner = &self.inner;
        if inner.pools.len() < inner.sweep_at.load(Relaxed) {
            return;
        }
        for (origin, pool) in inner.pools.snapshot() {
            drop(pool);
            // A service or a request under way holds the pool besides the map.
            inner.pools.remove_if_counted(&origin, |pool, copies| {
                if Arc::strong_count(pool) > copies {
                    return false;
                }
                // Pairs with the release of the last user's handle: its permits are seen.
                fence(Acquire);
                pool.is_vacant()
            });
        }
        let next = (2 * inner.pools.len()).max(FIRST_SWEEP);
        inner.sweep_at.store(next, Relaxed);
    }
}

impl<B> Service<Request<B>> for Transport
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let pools = &self.inner.pools;
        match pools.get_or_insert_with(request.uri(), |origin| self.make(origin)) {
            Ok(pool) => start(pool, request),
            Err(error) => ResponseFuture::failed(error),
        }
    }
}

/// The part of a [`Transport`] that serves one origin.
///
/// It does not look at the request's scheme and authority: a request for another origin is the
/// caller's mistake. A URI of a path alone will do.
///
/// # Clone
///
/// Cheap; all clones are one pool.
#[derive(Clone, Debug)]
pub struct OriginTransport {
    pool: Arc<OriginPool>,
}

impl OriginTransport {
    /// The origin.
    pub fn origin(&self) -> &Origin {
        self.pool.key.origin()
    }

    /// Sets how many connections this origin may have, in place of
    /// [`PoolLimits::max_connections_per_host`]; `None` goes back to that. It holds for as long as the
    /// origin has connections or a service such as this one. What is above a lower limit ends as with
    /// [`Transport::set_limits`].
    pub fn set_max_connections(&self, max: Option<NonZeroUsize>) {
        self.pool.set_own_max(max);
    }

    /// The same for settings that are applied again and again: it does nothing unless `max` is another
    /// than it was given last, `None` to begin with. So what was set by hand since stays until the
    /// settings change.
    pub fn configure_max_connections(&self, max: Option<NonZeroUsize>) {
        self.pool.configure_own_max(max);
    }
}

impl<B> Service<Request<B>> for OriginTransport
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        start(Arc::clone(&self.pool), request)
    }
}

#[inline]
fn start<B>(pool: Arc<OriginPool>, request: Request<B>) -> ResponseFuture
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let deadline = Deadline::of(&request);
    let (head, body) = request.into_parts();
    let request = Request::from_parts(head, SendBody::default());
    let mut outgoing = Outgoing::new(request, Body::new(body), deadline);
    ResponseFuture::new(pool, &mut outgoing)
}
