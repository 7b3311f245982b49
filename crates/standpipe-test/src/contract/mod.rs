//! The rules of tower's [`Service`], held against anyone's layer.
//!
//! [`assert_layer_contract`] puts a service of its own under a layer, calls what the layer makes of it
//! in every way that the rules allow, and panics with the rule that was broken.
//!
//! ```
//! use standpipe_test::assert_layer_contract;
//! use tower::limit::ConcurrencyLimitLayer;
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() {
//!     assert_layer_contract(ConcurrencyLimitLayer::new(1)).await;
//! }
//! ```
//!
//! # The rules
//!
//! - **readiness**: the inner service is called once for each time that it was polled ready, and it is
//!   the one that was polled ready: never a fresh clone.
//! - **backpressure**: while the inner service is not ready, the layer is not either, or waits in its
//!   future, or fails; once it is, whoever waits is woken.
//! - **errors**: an error of the inner service, of its `poll_ready` or of a call, comes out, as it is or
//!   among the [sources](std::error::Error::source); after a failed call the next one works.
//! - **clones**: a clone is ready only once it was polled itself, and takes nothing of its original's
//!   readiness. A clone outlives its original, and a future the service that it is of.
//! - **cancel safety**: a response future that is dropped, at whatever poll, unpolled, in flight, in a
//!   queue or while the inner service is not ready, leaves no call in flight and keeps nothing: the
//!   next call works, and whoever waited behind it goes on.
//! - **unused readiness**: a service that was polled ready and dropped without a call keeps nothing.
//! - **panics**: a panic of the inner service ends its own call, and no other.
//!
//! Tower lets a layer reserve what it limits in `poll_ready`; then a clone that is ready and waits for its
//! call keeps others out. A layer that does not can prove it by
//! [`assert_reserves_nothing`].
//!
//! # What the layer must be like
//!
//! Each rule is tried on a service of its own, fresh from [`Layer::layer`]. Its limits must let some
//! twenty calls through one after the other, and one failed call must not make it refuse the next. The tighter a
//! limit is on what is under way *at once*, the more is proved: a limit of 1 is the best. Where the layer
//! waits by tokio's clock, pause it: `#[tokio::test(start_paused = true)]`.

mod candidate;
mod drive;
mod inner;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use standpipe_core::{Body, BoxError};
use tower_layer::Layer;
use tower_service::Service;

use inner::Control;
pub use inner::{ContractFuture, ContractService, InnerFailure};

/// Checks that `layer` keeps the [rules](self), with HTTP requests and answers that are empty.
///
/// # Panics
///
/// With the rule and how it was broken, where it was.
pub async fn assert_layer_contract<L>(layer: L)
where
    L: Layer<ContractService<Request<Body>, Response<Body>>>,
    L::Service: Service<Request<Body>, Error: Into<BoxError>> + Clone,
{
    LayerContract::http().check(&layer).await;
}

/// Checks that services of `layer` which are ready and not called keep nothing from their clones.
///
/// Tower asks for less: there a service may reserve in `poll_ready` what its call will use.
///
/// # Panics
///
/// Where they do.
pub async fn assert_reserves_nothing<L>(layer: L)
where
    L: Layer<ContractService<Request<Body>, Response<Body>>>,
    L::Service: Service<Request<Body>, Error: Into<BoxError>> + Clone,
{
    LayerContract::http().check_reserves_nothing(&layer).await;
}

/// The [rules](self), for layers over any request and answer.
///
/// ```
/// use standpipe_test::contract::LayerContract;
/// use tower::limit::ConcurrencyLimitLayer;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let contract = LayerContract::new(|| "a request".to_owned(), || 42_u8);
/// contract.check(&ConcurrencyLimitLayer::new(1)).await;
/// # }
/// ```
#[derive(Clone)]
pub struct LayerContract<Req, Res> {
    request: Arc<dyn Fn() -> Req + Send + Sync>,
    response: Arc<dyn Fn() -> Res + Send + Sync>,
    patience: Duration,
}

impl LayerContract<Request<Body>, Response<Body>> {
    /// With `GET http://contract.test/` and an empty answer of status 200.
    pub fn http() -> Self {
        let request = || {
            let mut request = Request::new(Body::empty());
            *request.uri_mut() = http::Uri::from_static("http://contract.test/");
            request
        };
        Self::new(request, || Response::new(Body::empty()))
    }
}

impl<Req, Res> LayerContract<Req, Res>
where
    Req: Send + 'static,
    Res: Send + 'static,
{
    /// With requests made by `request` and answers made by `response`.
    pub fn new(
        request: impl Fn() -> Req + Send + Sync + 'static,
        response: impl Fn() -> Res + Send + Sync + 'static,
    ) -> Self {
        Self {
            request: Arc::new(request),
            response: Arc::new(response),
            patience: Duration::from_secs(60),
        }
    }

    /// How long a call may take that must not hang; a minute by default, of tokio's clock.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Checks that `layer` keeps the rules.
    ///
    /// # Panics
    ///
    /// With the rule and how it was broken, where it was.
    pub async fn check<L>(&self, layer: &L)
    where
        L: Layer<ContractService<Req, Res>>,
        L::Service: Service<Req, Error: Into<BoxError>> + Clone,
    {
        rules::readiness::check(self, layer).await;
        rules::backpressure::check(self, layer).await;
        rules::errors::check(self, layer).await;
        rules::clones::check(self, layer).await;
        rules::cancel::check(self, layer).await;
        rules::unused::check(self, layer).await;
        rules::panics::check(self, layer).await;
    }

    /// Checks what [`assert_reserves_nothing`] does.
    ///
    /// # Panics
    ///
    /// Where services that are ready and not called keep something from their clones.
    pub async fn check_reserves_nothing<L>(&self, layer: &L)
    where
        L: Layer<ContractService<Req, Res>>,
        L::Service: Service<Req, Error: Into<BoxError>> + Clone,
    {
        rules::unused::check_reserves_nothing(self, layer).await;
    }

    fn request(&self) -> Req {
        (self.request)()
    }

    /// What `layer` makes of a new inner service, and the power over that.
    fn under<L>(&self, layer: &L) -> (L::Service, Control)
    where
        L: Layer<ContractService<Req, Res>>,
    {
        let (inner, control) = ContractService::new(self.response.clone());
        (layer.layer(inner), control)
    }
}

impl<Req, Res> fmt::Debug for LayerContract<Req, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerContract")
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
