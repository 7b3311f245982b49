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
use std::time::Duration;

use futures_util::FutureExt;
use http::Request;
use standpipe_core::{BoxError, Error};
use standpipe_rate_limit::Quota;
use standpipe_test::{MockResponse, MockService};
use tokio::time::Instant;
use tower::{Service, ServiceExt};

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

/// `service`, which is always ready here.
#[track_caller]
pub(crate) fn ready<S: Service<Request<Empty>>>(service: &mut S) -> &mut S {
    let ready = service.ready().now_or_never();
    ready
        .expect("the service is not ready")
        .ok()
        .expect("the service failed")
}

/// An inner service that answers at once, and when each request reached it.
pub(crate) struct Record {
    begin: Instant,
    mock: MockService,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            begin: Instant::now(),
            mock: answering(200, &[]),
        }
    }

    pub(crate) fn at(&self) -> Vec<Duration> {
        let requests = self.mock.requests();
        requests
            .iter()
            .map(|request| request.at - self.begin)
            .collect()
    }

    pub(crate) fn service(&self) -> MockService {
        self.mock.clone()
    }
}

/// Gives each request the same answer.
pub(crate) fn answering(status: u16, headers: &[(&str, &str)]) -> MockService {
    let mock = MockService::new();
    let response = MockResponse {
        status,
        headers: headers.into(),
        ..Default::default()
    };
    mock.add_response("*", response);
    mock
}
