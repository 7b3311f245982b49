use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use standpipe_core::{Body, Error};

use super::BoxFuture;

/// The future of a [`Pool`](super::Pool).
///
/// # Cancel safety
///
/// Dropping it gives its connection and its place in the queue back.
#[must_use = "futures do nothing unless polled"]
pub struct PoolFuture {
    inner: BoxFuture,
}

impl PoolFuture {
    pub(super) fn new(inner: BoxFuture) -> Self {
        Self { inner }
    }
}

impl Future for PoolFuture {
    type Output = Result<Response<Body>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner.as_mut().poll(cx)
    }
}

impl fmt::Debug for PoolFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolFuture").finish_non_exhaustive()
    }
}
