use std::fmt;

use standpipe_core::Origin;
use tower_layer::Layer;

use crate::builder::Settings;
use crate::{HostRouter, HostRouterBuilder, NewHost};

/// Gives every host a stack of its own over clones of one inner service.
///
/// `F` is a `Fn(&Origin) -> L` where `L` is a [`Layer`]: what is set per host is made by it. Each
/// [`layer`](Layer::layer) makes a router of its own, that knows no host yet.
///
/// ```
/// use std::time::Duration;
/// use standpipe_core::Origin;
/// use standpipe_router::HostRouterLayer;
/// use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer, service_fn, BoxError};
///
/// let client = service_fn(|_request: http::Request<()>| async {
///     Ok::<_, BoxError>(http::Response::new(()))
/// });
/// let stack = ServiceBuilder::new()
///     .layer(HostRouterLayer::new(|origin: &Origin| {
///         let calls = if origin.host() == "api.example.com" { 8 } else { 64 };
///         GlobalConcurrencyLimitLayer::new(calls)
///     }))
///     .service(client);
/// # let _ = stack;
/// ```
#[derive(Clone)]
pub struct HostRouterLayer<F> {
    layer: F,
    settings: Settings,
}

impl<F> HostRouterLayer<F> {
    /// With the default settings; see [`HostRouterBuilder::layer`] for others.
    pub fn new<L>(layer: F) -> Self
    where
        F: Fn(&Origin) -> L,
    {
        HostRouterBuilder::default().layer(layer)
    }

    pub(crate) fn from_parts(layer: F, settings: Settings) -> Self {
        Self { layer, settings }
    }
}

impl<F, L, I> Layer<I> for HostRouterLayer<F>
where
    F: Fn(&Origin) -> L + Clone,
    L: Layer<I>,
    I: Clone,
{
    type Service = HostRouter<NewLayered<F, I>, L::Service>;

    fn layer(&self, inner: I) -> Self::Service {
        let layer = self.layer.clone();
        HostRouter::from_parts(NewLayered { layer, inner }, self.settings.clone())
    }
}

impl<F> fmt::Debug for HostRouterLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostRouterLayer")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// The [`NewHost`] of [`HostRouterLayer`]: the host's layer over a clone of the inner service.
#[derive(Clone)]
pub struct NewLayered<F, I> {
    layer: F,
    inner: I,
}

impl<F, L, I> NewHost for NewLayered<F, I>
where
    F: Fn(&Origin) -> L,
    L: Layer<I>,
    I: Clone,
{
    type Service = L::Service;

    fn new_host(&self, origin: &Origin) -> L::Service {
        (self.layer)(origin).layer(self.inner.clone())
    }
}

impl<F, I> fmt::Debug for NewLayered<F, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewLayered").finish_non_exhaustive()
    }
}
