use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use standpipe_core::{Body, BoxError, Error};
use standpipe_transport::ShutdownReport;

use super::runtime::Runtime;
use super::{HostClient, RequestBuilder, Response};
use crate::{IntoUri, PoolBuilder};

/// A [`Pool`](crate::Pool) for code that is not async.
///
/// # Clone
///
/// Cheap; all clones are one pool, on one thread. When the last clone and the last response are gone,
/// every connection is closed and the thread ends; nothing waits for that.
#[derive(Clone, Debug)]
pub struct Pool {
    pool: crate::Pool,
    runtime: Arc<Runtime>,
}

impl Pool {
    /// A pool with the default settings.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where the thread cannot be started.
    pub fn new() -> Result<Self, Error> {
        Self::over(crate::Pool::new())
    }

    /// Sets a pool up, to be made by [`build_blocking`](PoolBuilder::build_blocking).
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    /// Sends requests by `pool` and shares all that it has: limits, circuits, connections.
    ///
    /// A connection is driven by the runtime in which it was dialled. So the runtimes that use `pool`
    /// beside this are to run: one that stands still lets the requests of its connections wait.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where the thread cannot be started.
    pub fn over(pool: crate::Pool) -> Result<Self, Error> {
        let runtime = Arc::new(Runtime::start()?);
        Ok(Self { pool, runtime })
    }

    /// The pool itself. Requests that it sends are driven by the runtime that they are sent in.
    pub fn get_ref(&self) -> &crate::Pool {
        &self.pool
    }

    /// Begins a GET request. A URL that is none is told by [`send`](RequestBuilder::send).
    pub fn get(&self, url: impl IntoUri) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Begins a POST request.
    pub fn post(&self, url: impl IntoUri) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Begins a PUT request.
    pub fn put(&self, url: impl IntoUri) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Begins a PATCH request.
    pub fn patch(&self, url: impl IntoUri) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Begins a DELETE request.
    pub fn delete(&self, url: impl IntoUri) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Begins a HEAD request.
    pub fn head(&self, url: impl IntoUri) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Begins an OPTIONS request.
    pub fn options(&self, url: impl IntoUri) -> RequestBuilder {
        self.request(Method::OPTIONS, url)
    }

    /// Begins a request of any method.
    pub fn request(&self, method: Method, url: impl IntoUri) -> RequestBuilder {
        self.blocking(self.pool.request(method, url))
    }

    /// As [`Pool::request_from`](crate::Pool::request_from).
    pub fn request_from<B>(&self, request: Request<B>) -> RequestBuilder
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.blocking(self.pool.request_from(request))
    }

    /// This pool seen from one base URL, with headers of its own: `"https://api.example.com/v1/"`.
    ///
    /// # Errors
    ///
    /// Those of [`Pool::host_client`](crate::Pool::host_client).
    pub fn host_client(&self, base: impl IntoUri) -> Result<HostClient, Error> {
        let client = self.pool.host_client(base)?;
        Ok(HostClient::new(self.clone(), client))
    }

    /// Goes on with a request that was begun by async means, such as an extension of
    /// [`RequestBuilder`](crate::RequestBuilder). It is sent by the pool that it was begun with.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), standpipe::Error> {
    /// # fn signed(request: standpipe::RequestBuilder) -> standpipe::RequestBuilder { request }
    /// let pool = standpipe::blocking::Pool::new()?;
    /// let request = signed(pool.get_ref().get("https://api.example.com/v1/models"));
    /// let models = pool.blocking(request).send()?.text()?;
    /// # Ok(()) }
    /// ```
    pub fn blocking(&self, request: crate::RequestBuilder) -> RequestBuilder {
        RequestBuilder::new(request, Arc::clone(&self.runtime))
    }

    /// Sends a request that was made elsewhere, as it is.
    ///
    /// # Errors
    ///
    /// As [`RequestBuilder::send`].
    pub fn execute(&self, request: Request<Body>) -> Result<Response, Error> {
        self.request_from(request).send()
    }

    /// As [`Pool::warm`](crate::Pool::warm).
    ///
    /// # Errors
    ///
    /// Those of [`Pool::warm`](crate::Pool::warm), and in an async context
    /// [`Runtime`](crate::ErrorKind::Runtime).
    pub fn warm(&self, url: impl IntoUri, n: usize) -> Result<usize, Error> {
        self.runtime.wait(self.pool.warm(url, n))?
    }

    /// Shuts the pool down, as [`Pool::shutdown`](crate::Pool::shutdown), and waits for the end of what is
    /// under way, or of the grace.
    ///
    /// # Errors
    ///
    /// In an async context [`Runtime`](crate::ErrorKind::Runtime); the pool is closed all the same, but no
    /// one cuts what is under way.
    pub fn shutdown(&self, grace: Duration) -> Result<ShutdownReport, Error> {
        self.runtime.wait(self.pool.shutdown(grace))
    }
}

impl<O, H, T> PoolBuilder<O, H, T>
where
    Self: TryInto<crate::Pool, Error = Error>,
{
    /// Builds the pool for code that is not async.
    ///
    /// # Errors
    ///
    /// Those of [`build`](PoolBuilder::build), and [`Runtime`](crate::ErrorKind::Runtime) where its thread
    /// cannot be started.
    pub fn build_blocking(self) -> Result<Pool, Error> {
        Pool::over(self.try_into()?)
    }
}

/// As [`PoolBuilder::build_blocking`].
impl<O, H, T> TryFrom<PoolBuilder<O, H, T>> for Pool
where
    PoolBuilder<O, H, T>: TryInto<crate::Pool, Error = Error>,
{
    type Error = Error;

    fn try_from(builder: PoolBuilder<O, H, T>) -> Result<Self, Error> {
        builder.build_blocking()
    }
}
