use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use standpipe_core::Closing;
use tower_layer::Layer;

use super::permit::Permits;
use super::service::ConcurrencyLimit;

/// Makes [`ConcurrencyLimit`]: so many requests under way at once, each of them up to the end of
/// its response body.
///
/// Each [`layer`](Layer::layer) makes a limit of its own, which all clones of the service share.
///
/// # Order
///
/// Below a retry, so that a request that backs off holds no permit.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimitLayer {
    source: Source,
    waits: Waits,
}

#[derive(Clone, Debug)]
enum Source {
    Fresh(NonZeroUsize),
    Shared(ConcurrencyHandle),
}

/// How long requests wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    /// There is no limit, and so no wait.
    pub(super) never: bool,
    pub(super) longest: Option<Duration>,
    pub(super) closing: Option<Closing>,
}

/// Looks into a limit, and shares it with other stacks.
///
/// # Clone
///
/// All clones are of the same limit.
#[derive(Clone, Debug)]
pub struct ConcurrencyHandle(pub(super) Arc<Permits>);

impl ConcurrencyLimitLayer {
    /// At most `limit` requests are under way; the rest wait as long as their deadline allows.
    ///
    /// More than the largest number of permits that tokio's semaphore can hold is taken as that.
    pub fn new(limit: NonZeroUsize) -> Self {
        Self {
            source: Source::Fresh(limit),
            waits: Waits::default(),
        }
    }

    /// Any number of requests may be under way: its services hand them on, and count none.
    pub fn unlimited() -> Self {
        let mut layer = Self::new(NonZeroUsize::MAX);
        layer.waits.never = true;
        layer
    }

    /// Puts services under the limit that `handle` is of.
    pub fn shared(handle: &ConcurrencyHandle) -> Self {
        Self {
            source: Source::Shared(handle.clone()),
            waits: Waits::default(),
        }
    }

    /// Goes on with the limit that `handle` is of, in place of a new one: with what is under way and
    /// who waits. It is given this layer's number, unless that is the one that the layer before had:
    /// then what was [set](ConcurrencyHandle::set_limit) since stays. How long requests wait is each
    /// layer's own.
    #[must_use]
    pub fn keep(mut self, handle: &ConcurrencyHandle) -> Self {
        if let Source::Fresh(limit) = self.source {
            handle.0.configure(limit);
        }
        self.source = Source::Shared(handle.clone());
        self
    }

    /// Requests wait for `longest` at most, and never beyond their deadline.
    #[must_use]
    pub fn max_wait(mut self, longest: Duration) -> Self {
        self.waits.longest = Some(longest);
        self
    }

    /// Once `signal` is closed nobody waits: those in line, and all who would have to join it, end
    /// with [`Shutdown`](standpipe_core::ErrorKind::Shutdown).
    #[must_use]
    pub fn closing(mut self, signal: Closing) -> Self {
        self.waits.closing = Some(signal);
        self
    }

    /// Requests never wait: what finds no permit is refused.
    #[must_use]
    pub fn reject(self) -> Self {
        self.max_wait(Duration::ZERO)
    }
}

impl<S> Layer<S> for ConcurrencyLimitLayer {
    type Service = ConcurrencyLimit<S>;

    fn layer(&self, inner: S) -> ConcurrencyLimit<S> {
        let permits = match &self.source {
            Source::Fresh(limit) => Arc::new(Permits::new(*limit)),
            Source::Shared(handle) => handle.0.clone(),
        };
        ConcurrencyLimit::new(inner, permits, self.waits.clone())
    }
}

impl ConcurrencyHandle {
    /// The limit.
    pub fn limit(&self) -> usize {
        self.0.limit()
    }

    /// Sets another limit. A higher one lets those go on who wait; a lower one lets nobody go on
    /// until enough of those under way have ended.
    pub fn set_limit(&self, limit: NonZeroUsize) {
        self.0.set_limit(limit);
    }

    /// Requests under way now.
    pub fn in_flight(&self) -> usize {
        self.0.in_flight()
    }

    /// Requests that wait now.
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }
}
