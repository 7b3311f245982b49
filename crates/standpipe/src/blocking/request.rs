use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, Version};
use standpipe_core::{Body, Error};
use standpipe_retry::{RetryEvent, RetryPolicy};

use super::Response;
use super::read::reader_body;
use super::runtime::Runtime;

/// A request being put together; made by [`Pool::get`](super::Pool::get) and its kin.
///
/// It is a [`RequestBuilder`](crate::RequestBuilder) whose [`send`](RequestBuilder::send) waits.
#[derive(Debug)]
#[must_use = "a request is sent by `send`"]
pub struct RequestBuilder {
    request: crate::RequestBuilder,
    runtime: Arc<Runtime>,
}

macro_rules! forward {
    ($($(#[$meta:meta])* $name:ident($($arg:ident: $ty:ty),*);)*) => {$(
        $(#[$meta])*
        #[doc = concat!(
            "As [`", stringify!($name), "`](crate::RequestBuilder::", stringify!($name), ") there."
        )]
        pub fn $name(mut self, $($arg: $ty),*) -> Self {
            self.request = self.request.$name($($arg),*);
            self
        }
    )*};
}

impl RequestBuilder {
    pub(super) fn new(request: crate::RequestBuilder, runtime: Arc<Runtime>) -> Self {
        Self { request, runtime }
    }

    forward! {
        header(name: impl TryInto<HeaderName>, value: impl TryInto<HeaderValue>);
        headers(headers: HeaderMap);
        bearer_auth(token: impl std::fmt::Display);
        basic_auth(
            user: impl std::fmt::Display,
            password: Option<impl std::fmt::Display>
        );
        body(body: impl Into<Body>);
        #[cfg(feature = "json")]
        json(value: &(impl serde::Serialize + ?Sized));
        #[cfg(feature = "form")]
        form(value: &(impl serde::Serialize + ?Sized));
        #[cfg(feature = "form")]
        query(value: &(impl serde::Serialize + ?Sized));
        #[cfg(feature = "multipart")]
        multipart(form: crate::multipart::Form);
        timeout(timeout: Duration);
        head_timeout(timeout: Duration);
        body_idle_timeout(timeout: Duration);
        no_retry();
        retry_policy(policy: RetryPolicy);
        on_retry(hook: impl Fn(&RetryEvent<'_>) + Send + Sync + 'static);
        cost(units: u32);
        idempotency_key(key: impl TryInto<HeaderValue>);
        last_event_id(id: &str);
        version(version: Version);
    }

    /// Sets the body to what `reader` gives, read on a thread for blocking work as the connection takes
    /// it. Its length is not known beforehand, and it is sent once: nothing could give the same again.
    pub fn body_from_reader(self, reader: impl Read + Send + 'static) -> Self {
        self.body(reader_body(reader))
    }

    /// As [`build`](crate::RequestBuilder::build) there.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn build(self) -> Result<Request<Body>, Error> {
        self.request.build()
    }

    /// Sends the request and waits for the response head.
    ///
    /// # Errors
    ///
    /// Those of [`send`](crate::RequestBuilder::send) there, and in an async context
    /// [`Runtime`](crate::ErrorKind::Runtime).
    pub fn send(self) -> Result<Response, Error> {
        let response = self.runtime.wait(self.request.send())??;
        Ok(Response::new(response, self.runtime))
    }

    /// As [`send_streaming`](crate::RequestBuilder::send_streaming) there.
    ///
    /// # Errors
    ///
    /// The same, and in an async context [`Runtime`](crate::ErrorKind::Runtime).
    pub fn send_streaming(self) -> Result<Response, Error> {
        let response = self.runtime.wait(self.request.send_streaming())??;
        Ok(Response::new(response, self.runtime))
    }
}
