//! A request being put together.

mod into_uri;
mod wish;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use standpipe_core::{Body, Error, ErrorKind, Origin, Phase};
use standpipe_rate_limit::RequestCost;
use standpipe_retry::{RetryEvent, RetryPolicy};
use standpipe_timeout::RequestTimeout;

pub use into_uri::IntoUri;
use wish::Wish;

use crate::{Pool, Response};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request being put together; made by [`Pool::get`] and its kin.
///
/// What is wrong with a part is kept until [`send`](RequestBuilder::send) or
/// [`build`](RequestBuilder::build), which tell the first mistake.
#[derive(Debug)]
#[must_use = "a request is sent by `send`"]
pub struct RequestBuilder {
    pool: Pool,
    request: Result<Request<Body>, Error>,
    /// None for nearly all, so that these pay for a pointer.
    wish: Option<Box<Wish>>,
}

impl RequestBuilder {
    pub(crate) fn new(pool: Pool, method: Method, uri: Result<Uri, Error>) -> Self {
        let request = uri.and_then(refuse_userinfo).map(|uri| {
            let mut request = Request::new(Body::empty());
            *request.method_mut() = method;
            *request.uri_mut() = uri;
            request
        });
        Self {
            pool,
            request,
            wish: None,
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Request<Body>) -> Result<(), Error>) -> Self {
        if let Ok(request) = &mut self.request
            && let Err(error) = change(request)
        {
            self.request = Err(error);
        }
        self
    }

    /// Adds a header beside those of the same name.
    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        K: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        self.with(|request| {
            let name = name
                .try_into()
                .map_err(|_| invalid("a header has no valid name"))?;
            let value = value.try_into().map_err(|_| {
                invalid(format!(
                    "the value of header {name} has characters that may not be sent"
                ))
            })?;
            request.headers_mut().append(name, value);
            Ok(())
        })
    }

    /// Sets all of `headers`, in place of those of the same names.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.with(|request| {
            for name in headers.keys() {
                request.headers_mut().remove(name);
            }
            request.headers_mut().extend(headers);
            Ok(())
        })
    }

    /// Sets `Authorization: Bearer token`, marked as sensitive.
    pub fn bearer_auth(self, token: impl Display) -> Self {
        self.with(|request| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| invalid("the bearer token has characters that may not be sent"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
            Ok(())
        })
    }

    /// Sets the body.
    pub fn body(self, body: impl Into<Body>) -> Self {
        self.with(|request| {
            *request.body_mut() = body.into();
            Ok(())
        })
    }

    /// Sets the body to `value` as JSON, and the content type unless it is set.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(self, value: &T) -> Self {
        self.with(|request| {
            let bytes = serde_json::to_vec(value).map_err(|error| {
                invalid("the body cannot be written as JSON").with_source(error)
            })?;
            *request.body_mut() = bytes.into();
            let json = HeaderValue::from_static("application/json");
            request
                .headers_mut()
                .entry(http::header::CONTENT_TYPE)
                .or_insert(json);
            Ok(())
        })
    }

    /// How long the whole may take, in place of the pool's `request_timeout`: shorter or longer.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|request| {
            request
                .extensions_mut()
                .insert(RequestTimeout::total(timeout));
            Ok(())
        })
    }

    /// One attempt and no more.
    pub fn no_retry(self) -> Self {
        self.wishing(|wish| wish.off = true)
    }

    /// What is retried, how often and when, in place of what the pool and the host say. The budget
    /// stays the host's.
    pub fn retry_policy(self, policy: RetryPolicy) -> Self {
        self.wishing(|wish| {
            wish.off = false;
            wish.policy = Some(policy);
        })
    }

    /// Shows each retry of this request to `hook` before it waits, after the pool's own hook.
    pub fn on_retry(self, hook: impl Fn(&RetryEvent<'_>) + Send + Sync + 'static) -> Self {
        self.wishing(|wish| wish.on_retry = Some(Arc::new(hook)))
    }

    /// How many units of its host's quotas by cost this request takes, such as tokens; see
    /// [`PoolBuilder::request_cost`](crate::PoolBuilder::request_cost).
    pub fn cost(self, units: u32) -> Self {
        self.with(|request| {
            request.extensions_mut().insert(RequestCost(units));
            Ok(())
        })
    }

    /// Sets `Idempotency-Key`, the same on each attempt: the request is then sent again where it may
    /// have arrived, whatever its method, since the server knows it by the key.
    ///
    /// The header is a structured field, so servers that hold to
    /// draft-ietf-httpapi-idempotency-key-header want the key in double quotes; many take any text.
    pub fn idempotency_key<V>(self, key: V) -> Self
    where
        V: TryInto<HeaderValue>,
    {
        self.with(|request| {
            let key = key
                .try_into()
                .map_err(|_| invalid("the idempotency key has characters that may not be sent"))?;
            request.headers_mut().insert(IDEMPOTENCY_KEY, key);
            Ok(())
        })
    }

    fn wishing(mut self, change: impl FnOnce(&mut Wish)) -> Self {
        let mut wish = self.wish.take().unwrap_or_default();
        change(&mut wish);
        let extension = wish.extension();
        self.wish = Some(wish);
        self.with(|request| {
            request.extensions_mut().insert(extension);
            Ok(())
        })
    }

    /// The request itself, for those who want to send it elsewhere.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) or
    /// [`UnsupportedScheme`](ErrorKind::UnsupportedScheme) for the first mistake that was made.
    pub fn build(self) -> Result<Request<Body>, Error> {
        let request = self.request?;
        // `send` leaves this to the router, which has to find the origin anyway.
        Origin::of_uri(request.uri())?;
        Ok(request)
    }

    /// Sends the request and waits for the response head.
    ///
    /// # Errors
    ///
    /// What was wrong with the request, before a connection is opened; else what went wrong
    /// underway, see [`ErrorKind`]. A status such as 404 is no error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives its connection and its place in the queue back.
    pub async fn send(self) -> Result<Response, Error> {
        let request = self.request?;
        let limit = self.pool.config().max_response_bytes;
        let response = self.pool.execute(request).await?;
        Ok(Response::new(response, limit))
    }
}

/// Refuses a URL with userinfo before it is kept, so that nothing can print the password.
fn refuse_userinfo(uri: Uri) -> Result<Uri, Error> {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        Origin::of_uri(&uri)?;
    }
    Ok(uri)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest)
        .with_phase(Phase::Check)
        .with_message(message)
}
