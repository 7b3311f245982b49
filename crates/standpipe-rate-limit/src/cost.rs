use std::fmt;
use std::sync::Arc;

use http::Request;

/// What a request costs, in units of the quotas by [cost](crate::Unit::Cost): tokens, bytes.
///
/// Any `Fn(&Req) -> u32` is one. A cost of zero is refused, as the request would pass any limit: a
/// request that is not to be counted does not belong under a layer that counts.
pub trait Cost<Req> {
    /// The units that `request` takes, at least one.
    fn cost(&self, request: &Req) -> u32;
}

impl<Req, F> Cost<Req> for F
where
    F: Fn(&Req) -> u32,
{
    #[inline]
    fn cost(&self, request: &Req) -> u32 {
        self(request)
    }
}

/// Each request costs one unit.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneEach;

impl<Req> Cost<Req> for OneEach {
    #[inline]
    fn cost(&self, _: &Req) -> u32 {
        1
    }
}

/// What one request costs, in place of what its limiter would take it for; to be put into its
/// extensions, where [`HttpCost`] finds it.
///
/// A cost of zero is refused, as any [`Cost`] of zero is.
///
/// ```
/// use standpipe_rate_limit::RequestCost;
///
/// let mut request = http::Request::new("a long prompt");
/// request.extensions_mut().insert(RequestCost(1_200));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestCost(pub u32);

/// What a request's own [`RequestCost`] says; else what a function makes of the request; else one.
///
/// # Clone
///
/// Cheap: the function is shared.
pub struct HttpCost<B> {
    otherwise: Option<Arc<Estimate<B>>>,
}

type Estimate<B> = dyn Fn(&Request<B>) -> u32 + Send + Sync;

impl<B> HttpCost<B> {
    /// One unit for requests that do not say.
    pub fn new() -> Self {
        Self { otherwise: None }
    }

    /// What `cost` says of requests that do not say.
    pub fn or(cost: impl Fn(&Request<B>) -> u32 + Send + Sync + 'static) -> Self {
        Self {
            otherwise: Some(Arc::new(cost)),
        }
    }
}

impl<B> Cost<Request<B>> for HttpCost<B> {
    #[inline]
    fn cost(&self, request: &Request<B>) -> u32 {
        // Nearly always there are none.
        let extensions = request.extensions();
        if !extensions.is_empty()
            && let Some(&RequestCost(own)) = extensions.get()
        {
            return own;
        }
        self.otherwise.as_ref().map_or(1, |cost| cost(request))
    }
}

impl<B> Clone for HttpCost<B> {
    fn clone(&self) -> Self {
        Self {
            otherwise: self.otherwise.clone(),
        }
    }
}

impl<B> Default for HttpCost<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> fmt::Debug for HttpCost<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCost")
            .field("otherwise", &self.otherwise.is_some())
            .finish()
    }
}
