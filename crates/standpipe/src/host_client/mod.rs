//! A pool seen from one base URL.

mod reference;

use std::fmt;
use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use standpipe_core::{Error, Origin};

use crate::request::invalid;
use crate::{IntoUri, Pool, RequestBuilder};

/// A [`Pool`] with a base URL, which its requests are relative to, and headers that they have beside
/// the host's; made by [`Pool::host_client`].
///
/// ```
/// # async fn run() -> Result<(), standpipe::Error> {
/// let pool = standpipe::Pool::new();
/// let api = pool.host_client("https://api.example.com/v1/")?.header("x-api-key", "a-key")?;
/// let models = api.get("models?limit=3").send().await?.text().await?;
/// # Ok(()) }
/// ```
///
/// # Clone
///
/// Cheap; all clones are over one pool.
#[derive(Clone)]
pub struct HostClient {
    pool: Pool,
    base: Uri,
    origin: Origin,
    headers: Arc<HeaderMap>,
}

impl HostClient {
    /// # Errors
    ///
    /// As [`Pool::host_client`].
    pub(crate) fn new(pool: Pool, base: impl IntoUri) -> Result<Self, Error> {
        let base = base.into_uri()?;
        Ok(Self {
            origin: Origin::of_uri(&base)?,
            pool,
            base,
            headers: Arc::default(),
        })
    }

    /// The same with a header for its requests, beside those of the same name. A request that sets
    /// the header itself goes without this one, and so does one to another origin.
    ///
    /// The value counts as a secret: no message or debug output shows it, and no redirect takes it
    /// to another origin.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](standpipe_core::ErrorKind::InvalidRequest) for what may not be sent.
    pub fn header<K, V>(mut self, name: K, value: V) -> Result<Self, Error>
    where
        K: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        let name = name.try_into();
        let name = name.map_err(|_| invalid("a header has no valid name"))?;
        let mut value = value.try_into().map_err(|_| {
            invalid(format!(
                "the value of header {name} has characters that may not be sent"
            ))
        })?;
        value.set_sensitive(true);
        Arc::make_mut(&mut self.headers).append(name, value);
        Ok(self)
    }

    /// The base URL.
    pub fn base(&self) -> &Uri {
        &self.base
    }

    /// The pool.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Begins a GET request. `reference` is a URL or part of one, resolved against the base as RFC
    /// 3986 has it: with the base `https://host/v1/`, `"models"` is `https://host/v1/models`,
    /// `"/models"` is `https://host/models`. What is wrong with it is told by
    /// [`send`](RequestBuilder::send).
    pub fn get(&self, reference: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::GET, reference)
    }

    /// Begins a POST request.
    pub fn post(&self, reference: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::POST, reference)
    }

    /// Begins a PUT request.
    pub fn put(&self, reference: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::PUT, reference)
    }

    /// Begins a PATCH request.
    pub fn patch(&self, reference: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::PATCH, reference)
    }

    /// Begins a DELETE request.
    pub fn delete(&self, reference: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::DELETE, reference)
    }

    /// Begins a request of any method.
    pub fn request(&self, method: Method, reference: impl AsRef<str>) -> RequestBuilder {
        let url = reference::resolve(&self.base, reference.as_ref());
        let own = url
            .as_ref()
            .is_ok_and(|url| Origin::of_uri(url).is_ok_and(|origin| origin == self.origin));
        let request = RequestBuilder::new(self.pool.clone(), method, url);
        match own && !self.headers.is_empty() {
            true => request.or_headers(Arc::clone(&self.headers)),
            false => request,
        }
    }
}

/// Names the headers without their values: they may be secrets.
impl fmt::Debug for HostClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.keys().collect();
        f.debug_struct("HostClient")
            .field("origin", &self.origin)
            .field("path", &self.base.path())
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}
