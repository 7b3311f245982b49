use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use standpipe_core::Origin;
use standpipe_timeout::RequestTimeout;
use tower_service::Service;

use super::settings::HostSettings;

/// Gives requests to hosts with a total timeout of their own that timeout, unless they bring one.
///
/// It stands above the layer that holds the pool's total, as that one runs across redirects.
#[derive(Clone, Debug)]
pub struct HostTotals<S> {
    inner: S,
    settings: Arc<HostSettings>,
}

impl<S> HostTotals<S> {
    pub(crate) fn new(inner: S, settings: Arc<HostSettings>) -> Self {
        Self { inner, settings }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    #[cold]
    fn set<B>(&self, mut request: Request<B>) -> Request<B> {
        if request.extensions().get::<RequestTimeout>().is_some() {
            return request;
        }
        // A URL without an origin is refused below.
        if let Ok(origin) = Origin::of_uri(request.uri()) {
            let timeout = self.settings.table().of(&origin).timeout();
            request.extensions_mut().insert(timeout);
        }
        request
    }
}

impl<S, B> Service<Request<B>> for HostTotals<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> S::Future {
        // A request that is not lent out is handed on without a copy.
        if self.settings.has_totals() {
            return self.inner.call(self.set(request));
        }
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use standpipe_test::{assert_layer_contract, assert_reserves_nothing};
    use tower::layer::layer_fn;

    use crate::{HostConfig, Pool};

    /// What stands below it in a pool is always ready, so it stands here alone.
    #[tokio::test(start_paused = true)]
    async fn it_keeps_the_contract_of_a_layer() {
        let total = HostConfig::new().request_timeout(Duration::from_secs(60));
        let with_a_total = Pool::builder().host("contract.test", total);
        for builder in [Pool::builder(), with_a_total] {
            let pool = builder.build().unwrap();
            let settings = pool.own_settings();
            let layer = layer_fn(|inner| HostTotals::new(inner, Arc::clone(&settings)));
            assert_layer_contract(&layer).await;
            assert_reserves_nothing(&layer).await;
        }
    }
}
