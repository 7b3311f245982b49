use http::header::{HeaderName, HeaderValue};
use http::{Method, Uri};
use standpipe_core::Error;

use super::{Pool, RequestBuilder};

/// A [`Pool`] with a base URL, which its requests are relative to, and headers that they have beside
/// the host's; made by [`Pool::host_client`]. It is a [`HostClient`](crate::HostClient) whose requests
/// wait.
///
/// ```no_run
/// # fn main() -> Result<(), standpipe::Error> {
/// let pool = standpipe::blocking::Pool::new()?;
/// let api = pool.host_client("https://api.example.com/v1/")?.header("x-api-key", "a-key")?;
/// let models = api.get("models?limit=3").send()?.text()?;
/// # Ok(()) }
/// ```
///
/// # Clone
///
/// Cheap; all clones are over one pool.
#[derive(Clone, Debug)]
pub struct HostClient {
    pool: Pool,
    client: crate::HostClient,
}

macro_rules! begin {
    ($($name:ident)*) => {$(
        #[doc = concat!("As [`", stringify!($name), "`](crate::HostClient::", stringify!($name), ") there.")]
        pub fn $name(&self, reference: impl AsRef<str>) -> RequestBuilder {
            self.pool.blocking(self.client.$name(reference))
        }
    )*};
}

impl HostClient {
    pub(super) fn new(pool: Pool, client: crate::HostClient) -> Self {
        Self { pool, client }
    }

    /// As [`header`](crate::HostClient::header) there.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn header<K, V>(mut self, name: K, value: V) -> Result<Self, Error>
    where
        K: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        self.client = self.client.header(name, value)?;
        Ok(self)
    }

    /// The base URL.
    pub fn base(&self) -> &Uri {
        self.client.base()
    }

    /// The pool.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    begin! { get post put patch delete }

    /// As [`request`](crate::HostClient::request) there.
    pub fn request(&self, method: Method, reference: impl AsRef<str>) -> RequestBuilder {
        self.pool.blocking(self.client.request(method, reference))
    }
}
