//! A request being put together.

mod auth;
mod body;
#[cfg(any(feature = "form", feature = "json"))]
mod content;
#[cfg(feature = "fs")]
mod file;
mod from_http;
mod into_uri;
#[cfg(feature = "multipart")]
pub mod multipart;
#[cfg(feature = "form")]
mod query;
mod times;
mod wish;

use std::fmt;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Uri, Version};
use http_body::Body as _;
use standpipe_core::{Body, Deadline, Error, ErrorKind, Origin, Phase};
use standpipe_rate_limit::RequestCost;
use standpipe_retry::{RetryEvent, RetryPolicy};

#[cfg(feature = "fs")]
pub use file::FileBody;
pub use into_uri::IntoUri;
use wish::Wish;

use crate::redirect::final_uri;
use crate::stack::{IDEMPOTENCY_KEY, fill_in};
use crate::{Pool, Response};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A request being put together; made by [`Pool::get`] and its kin.
///
/// What is wrong with a part is kept until [`send`](RequestBuilder::send) or
/// [`build`](RequestBuilder::build), which tell the first mistake.
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

    /// One attempt and no more.
    pub fn no_retry(self) -> Self {
        self.wishing(|wish| wish.retry.off = true)
    }

    /// What is retried, how often and when, in place of what the pool and the host say. The budget
    /// stays the host's.
    pub fn retry_policy(self, policy: RetryPolicy) -> Self {
        self.wishing(|wish| {
            wish.retry.off = false;
            wish.retry.policy = Some(policy);
        })
    }

    /// Shows each retry of this request to `hook` before it waits, after the pool's own hook.
    pub fn on_retry(self, hook: impl Fn(&RetryEvent<'_>) + Send + Sync + 'static) -> Self {
        self.wishing(|wish| wish.retry.on_retry = Some(Arc::new(hook)))
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

    /// Sets `Last-Event-ID`, with which a server goes on with a stream of events from there; an empty
    /// one sets nothing.
    pub fn last_event_id(self, id: &str) -> Self {
        if id.is_empty() {
            return self;
        }
        self.with(|request| {
            // The standard has it sent as UTF-8.
            let id = HeaderValue::from_bytes(id.as_bytes())
                .map_err(|_| invalid("the last event id has characters that may not be sent"))?;
            request.headers_mut().insert(LAST_EVENT_ID, id);
            Ok(())
        })
    }

    /// The version that the request is of, where it goes out over HTTP/1: `HTTP/1.0` for a server that
    /// knows no better, else `HTTP/1.1`. HTTP/2 is the pool's choice: see
    /// [`PoolConfig::protocol`](crate::PoolConfig::protocol). Any other version is refused.
    pub fn version(self, version: Version) -> Self {
        self.with(|request| match version {
            Version::HTTP_10 | Version::HTTP_11 => {
                *request.version_mut() = version;
                Ok(())
            }
            _ => Err(invalid(
                "a request may be of HTTP/1.0 or HTTP/1.1; over HTTP/2 it goes where the pool speaks it",
            )),
        })
    }

    fn wishing(mut self, change: impl FnOnce(&mut Wish)) -> Self {
        change(self.wish.get_or_insert_default());
        self
    }

    /// The request itself, for those who want to send it elsewhere, or by
    /// [`Pool::execute`].
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) or
    /// [`UnsupportedScheme`](ErrorKind::UnsupportedScheme) for the first mistake that was made.
    pub fn build(self) -> Result<Request<Body>, Error> {
        let (_, request) = self.finish(false)?;
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
        let (pool, request) = self.finish(false)?;
        send(pool, request).await
    }

    /// Sends the request for a response that streams for as long as it likes, and waits for its head.
    ///
    /// In place of the pool's `request_timeout` there are two limits: the
    /// [`head_timeout`](RequestBuilder::head_timeout) on the time up to the head, and the
    /// [`body_idle_timeout`](RequestBuilder::body_idle_timeout) on each silence in the body. A
    /// [`timeout`](RequestBuilder::timeout) of the request's own still holds for the whole.
    ///
    /// # Errors
    ///
    /// As [`send`](RequestBuilder::send), and [`ResponseTimeout`](ErrorKind::ResponseTimeout) where no
    /// head came in time. The body fails with [`BodyIdleTimeout`](ErrorKind::BodyIdleTimeout) after a
    /// silence, its [`events`](Response::events) with [`StreamIdle`](ErrorKind::StreamIdle).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](RequestBuilder::send).
    pub async fn send_streaming(self) -> Result<Response, Error> {
        let (pool, request) = self.finish(true)?;
        let response = send(pool.clone(), request).await?;
        let origin = Origin::of_uri(response.url())?;
        let circuit = pool.circuit_breaker(&origin);
        Ok(response.followed_by(circuit.as_ref()))
    }

    /// Adds `headers` in the end, but for those whose names are set by then.
    pub(crate) fn or_headers(mut self, headers: Arc<HeaderMap>) -> Self {
        self.wish.get_or_insert_default().defaults = Some(headers);
        self
    }

    /// The request with all that was said for the layers below.
    fn finish(self, streaming: bool) -> Result<(Pool, Request<Body>), Error> {
        let mut request = self.request?;
        let wish = self.wish.as_deref();
        if let Some(retry) = wish.and_then(Wish::retry) {
            request.extensions_mut().insert(retry);
        }
        if let Some(defaults) = wish.and_then(|wish| wish.defaults.as_deref()) {
            fill_in(defaults, request.headers_mut());
        }
        let times = wish.map(|wish| wish.times).unwrap_or_default();
        if let Some(timeout) = times.in_force(&self.pool, request.uri(), streaming) {
            request.extensions_mut().insert(timeout);
        }
        tell_of_no_body(&mut request);
        Ok((self.pool, request))
    }
}

/// A server may want a length of the methods that have a body, even where there is none (RFC 9110, 8.6).
fn tell_of_no_body(request: &mut Request<Body>) {
    let expected = [Method::POST, Method::PUT, Method::PATCH].contains(request.method());
    let headers = request.headers();
    if expected && request.body().is_end_stream() && !headers.contains_key(TRANSFER_ENCODING) {
        let none = HeaderValue::from_static("0");
        request.headers_mut().entry(CONTENT_LENGTH).or_insert(none);
    }
}

/// The deadline that rides in the body stays with the request; of two the earlier one does.
fn set_body(request: &mut Request<Body>, mut body: Body) {
    let deadline = Deadline::earlier(request.body().deadline(), body.deadline());
    body.set_deadline(deadline);
    *request.body_mut() = body;
}

async fn send(pool: Pool, request: Request<Body>) -> Result<Response, Error> {
    let url = request.uri().clone();
    let limit = pool.config().max_response_bytes;
    match pool.execute(request).await {
        Ok(response) => {
            let url = final_uri(&response).cloned().unwrap_or(url);
            Ok(Response::new(response, limit, url))
        }
        Err(error) => Err(error.with_url(&url)),
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

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest)
        .with_phase(Phase::Check)
        .with_message(message)
}

/// Without what may be a secret: the query, and the values of headers.
impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RequestBuilder");
        match &self.request {
            Ok(request) => {
                let uri = request.uri();
                let names: Vec<_> = request.headers().keys().collect();
                shown
                    .field("method", request.method())
                    .field("host", &uri.host())
                    .field("path", &uri.path())
                    .field("headers", &names)
                    .field("body", request.body());
            }
            Err(error) => {
                shown.field("error", error);
            }
        }
        shown.finish_non_exhaustive()
    }
}
