use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tower_layer::Layer;

use super::permit::{MAX_LIMIT, Permits, UNLIMITED};
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
    max_wait: Option<Duration>,
}

#[derive(Clone, Debug)]
enum Source {
    Fresh(usize),
    Shared(ConcurrencyHandle),
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
    /// More than what tokio's semaphore can hold is taken as that.
    pub fn new(limit: NonZeroUsize) -> Self {
        Self {
            source: Source::Fresh(limit.get().min(MAX_LIMIT)),
            max_wait: None,
        }
    }

    /// Any number of requests may be under way: its services hand them on, and count none.
    pub fn unlimited() -> Self {
        Self {
            source: Source::Fresh(UNLIMITED),
            max_wait: None,
        }
    }

    /// Puts services under the limit that `handle` is of.
    pub fn shared(handle: &ConcurrencyHandle) -> Self {
        Self {
            source: Source::Shared(handle.clone()),
            max_wait: None,
        }
    }

    /// Goes on with the limit that `handle` is of, in place of a new one: with what is under way and
    /// who waits. The longest wait stays this layer's.
    #[must_use]
    pub fn keep(mut self, handle: &ConcurrencyHandle) -> Self {
        self.source = Source::Shared(handle.clone());
        self
    }

    /// Requests wait for `longest` at most, and never beyond their deadline.
    #[must_use]
    pub fn max_wait(mut self, longest: Duration) -> Self {
        self.max_wait = Some(longest);
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
        ConcurrencyLimit::new(inner, permits, self.max_wait)
    }
}

impl ConcurrencyHandle {
    /// The limit.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Requests under way now.
    pub fn in_flight(&self) -> usize {
        self.0.limit - self.0.semaphore.available_permits()
    }

    /// Requests that wait now.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }
}
