//! The limiter through its public API: in paused time, over services that answer at once, and over
//! the in-memory network.

mod closing;
mod concurrency;
mod config;
mod contract;
mod cost;
#[cfg(feature = "serde")]
mod data;
mod hooks;
mod keep;
mod server;
mod share;
mod store;
mod wait;

use std::num::NonZeroU32;
use std::sync::Arc;

use standpipe_core::sync::Mutex;
use std::time::Duration;

use http::{Request, Response};
use standpipe_core::{BoxError, Error};
use standpipe_rate_limit::Quota;
use tokio::time::Instant;
use tower::Service;

pub(crate) type Empty = http_body_util::Empty<bytes::Bytes>;

pub(crate) fn n(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// One in each 100 ms, `burst` at once.
pub(crate) fn ten_a_second(burst: u32) -> Quota {
    Quota::per_second(n(10)).burst(n(burst))
}

pub(crate) fn request() -> Request<Empty> {
    Request::new(Empty::new())
}

pub(crate) fn error<T>(result: Result<T, BoxError>) -> Error {
    match result {
        Ok(_) => panic!("an error was expected"),
        Err(error) => Error::from_boxed(error),
    }
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// When each call reached the inner service.
#[derive(Clone)]
pub(crate) struct Record {
    begin: Instant,
    at: Arc<Mutex<Vec<Duration>>>,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            begin: Instant::now(),
            at: Arc::default(),
        }
    }

    pub(crate) fn note(&self) {
        self.at.lock().push(self.begin.elapsed());
    }

    pub(crate) fn at(&self) -> Vec<Duration> {
        self.at.lock().clone()
    }

    /// A service that notes each call and answers at once.
    pub(crate) fn service(
        &self,
    ) -> impl Service<
        Request<Empty>,
        Response = Response<Empty>,
        Error = BoxError,
        Future = std::future::Ready<Result<Response<Empty>, BoxError>>,
    > + Clone
    + Send
    + 'static {
        let record = self.clone();
        tower::service_fn(move |_: Request<Empty>| {
            record.note();
            std::future::ready(Ok(Response::new(Empty::new())))
        })
    }
}
