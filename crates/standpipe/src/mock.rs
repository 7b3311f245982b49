//! A pool over a mock, for tests of code that takes a [`Pool`].
//!
//! ```
//! use standpipe::mock::{MockPool, MockResponse};
//! use standpipe::{Error, ErrorKind, Pool};
//!
//! /// The code under test.
//! async fn level(pool: &Pool) -> Result<String, Error> {
//!     pool.get("https://api.example.com/level").send().await?.error_for_status()?.text().await
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! // #[tokio::test]
//! let mock = MockPool::new();
//! mock.add_response(
//!     "api.example.com",
//!     MockResponse {
//!         status: 200,
//!         body: r#"{"result":"success"}"#.into(),
//!         ..Default::default()
//!     },
//! );
//! assert_eq!(level(&mock.pool()).await.unwrap(), r#"{"result":"success"}"#);
//!
//! let down = mock.expect("api.example.com").path("/level").answer(ErrorKind::Connect);
//! assert_eq!(level(&mock.pool()).await.unwrap_err().kind(), ErrorKind::Connect);
//! assert_eq!(down.calls(), 1);
//! # }
//! ```
//!
//! A [`MockPool`] is a [`MockService`] with a pool over it. What it answers, what it keeps and when it fails
//! is told [there](MockService). Where the test needs a stack of its own making, a typed one, or the pool of
//! `blocking`, it gives a clone of a `MockService` to [`PoolBuilder::transport`].

use std::fmt;
use std::ops::Deref;

use crate::{Error, Pool, PoolBuilder, Swapped};

pub use standpipe_test::mock::{
    Expectation, ExpectationBuilder, MockAnswer, MockBody, MockHeaders, MockRequest, MockResponse,
    MockService, Nearest, ResponseFuture, UnmatchedRequest,
};

/// A mock, and a pool whose requests it answers. It is a [`MockService`] by [`Deref`]: set it up and look
/// at it by the methods of that.
///
/// # Panics
///
/// Dropped, where an expectation was not met, and the thread is not panicking already: keep it to the end
/// of the test. The pools that it has handed out may outlive it, and go on with what was set up.
pub struct MockPool {
    // The first to be dropped: the one that checks.
    service: MockService,
    pool: Pool,
}

impl MockPool {
    /// A mock that expects nothing yet, under a pool with the settings of [`Pool::from_service`]: no retry
    /// and no circuit breaker, so that each request comes to the mock once.
    pub fn new() -> Self {
        let service = MockService::new();
        let pool = Pool::from_service(service.clone());
        Self { service, pool }
    }

    /// A mock under the pool that `builder` describes, with its retries, limits and layers in force. What
    /// the builder says of a transport has no effect.
    ///
    /// ```
    /// use standpipe::Pool;
    /// use standpipe::mock::{MockPool, MockResponse};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// // #[tokio::test(start_paused = true)]
    /// let mock = MockPool::with(Pool::builder().max_retries(1)).unwrap();
    /// mock.add_response("api.example.com", MockResponse::new(503));
    /// mock.add_response("api.example.com", MockResponse::new(200));
    /// let response = mock.pool().get("https://api.example.com/").send().await.unwrap();
    /// assert_eq!((response.status().as_u16(), mock.calls()), (200, 2));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`PoolBuilder::build`].
    pub fn with<O, H, T>(builder: PoolBuilder<O, H, T>) -> Result<Self, Error>
    where
        PoolBuilder<O, H, Swapped<MockService>>: TryInto<Pool, Error = Error>,
    {
        let service = MockService::new();
        let pool = builder.transport(service.clone()).try_into()?;
        Ok(Self { service, pool })
    }

    /// The pool: a clone to give to the code under test, the same each time.
    pub fn pool(&self) -> Pool {
        self.pool.clone()
    }
}

impl Default for MockPool {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for MockPool {
    type Target = MockService;

    fn deref(&self) -> &MockService {
        &self.service
    }
}

impl fmt::Debug for MockPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockPool")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
