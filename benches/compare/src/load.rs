use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower_service::Service;

use crate::{BODY, BoxError};

/// What is spoken, without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 over kept-alive connections.
    Http1,
    /// HTTP/2 by prior knowledge.
    Http2,
}

/// What is put on a client: so many tasks, each of which sends its share of the requests one after
/// the other and reads the answer to its end.
#[derive(Clone, Debug)]
pub struct Load {
    /// The server, on loopback.
    pub server: SocketAddr,
    /// What is spoken.
    pub protocol: Protocol,
    /// How many requests are under way at once.
    pub at_once: usize,
    /// How many headers each request has, up to four; `Host` is not one of them.
    pub headers: usize,
    /// How many requests are sent in all: a multiple of `at_once`.
    pub requests: usize,
}

pub(crate) type NoBody = Empty<Bytes>;

/// Sends one request and reads its answer; returns the length of the body.
pub(crate) trait Caller: Send + 'static {
    fn call(
        &mut self,
        request: Request<NoBody>,
    ) -> impl Future<Output = Result<usize, BoxError>> + Send;
}

/// Any client that is a tower service.
pub(crate) struct Tower<S>(pub(crate) S);

impl<S, B> Caller for Tower<S>
where
    S: Service<Request<NoBody>, Response = Response<B>> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: BodyExt<Data = Bytes> + Unpin + Send,
    B::Error: Into<BoxError>,
{
    async fn call(&mut self, request: Request<NoBody>) -> Result<usize, BoxError> {
        poll_fn(|cx| self.0.poll_ready(cx))
            .await
            .map_err(Into::into)?;
        let response = self.0.call(request).await.map_err(Into::into)?;
        read(response).await
    }
}

/// Reads a body to its end.
pub(crate) async fn read<B>(response: Response<B>) -> Result<usize, BoxError>
where
    B: BodyExt<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let mut body = response.into_body();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(Into::into)?;
        length += frame.data_ref().map_or(0, Bytes::len);
    }
    Ok(length)
}

/// The request that is sent again and again.
#[derive(Clone)]
struct Template {
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Template {
    fn request(&self) -> Request<NoBody> {
        let mut request = Request::new(NoBody::new());
        *request.uri_mut() = self.uri.clone();
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        request
    }
}

impl Load {
    /// The URL that a client is given.
    pub(crate) fn uri(&self) -> Uri {
        let uri = format!("http://{}/path/to/a/resource", self.server);
        uri.parse().expect("a URL")
    }

    /// Runs the load over `callers`, one for each task; returns how long it took.
    pub(crate) async fn drive<C: Caller>(
        &self,
        callers: impl IntoIterator<Item = C>,
    ) -> Result<Duration, BoxError> {
        self.drive_with(self.template(), callers).await
    }

    /// As [`drive`](Load::drive), for a bare HTTP/1.1 connection: nobody there makes the target and
    /// `Host` of a request.
    pub(crate) async fn drive_bare<C: Caller>(
        &self,
        callers: impl IntoIterator<Item = C>,
    ) -> Result<Duration, BoxError> {
        let mut template = self.template();
        if self.protocol == Protocol::Http1 {
            let host = HeaderValue::from_str(&self.server.to_string())?;
            template.headers.push((HOST, host));
            template.uri = template.uri.path().parse()?;
        }
        self.drive_with(template, callers).await
    }

    async fn drive_with<C: Caller>(
        &self,
        template: Template,
        callers: impl IntoIterator<Item = C>,
    ) -> Result<Duration, BoxError> {
        let share = self.requests / self.at_once;
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for mut caller in callers {
            let template = template.clone();
            tasks.spawn(async move {
                for _ in 0..share {
                    let length = caller.call(template.request()).await?;
                    assert_eq!(length, BODY, "the body came short");
                }
                Ok::<(), BoxError>(())
            });
        }
        assert_eq!(tasks.len(), self.at_once, "one caller for each task");
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok(begun.elapsed())
    }

    fn template(&self) -> Template {
        let all = [
            (ACCEPT, "application/json"),
            (USER_AGENT, "standpipe-compare/0.1"),
            (AUTHORIZATION, "Bearer 0123456789abcdef0123456789abcdef"),
            (HeaderName::from_static("x-request-id"), "7d3f0c52-91be"),
        ];
        let headers = all.into_iter().take(self.headers);
        Template {
            uri: self.uri(),
            headers: headers
                .map(|(name, value)| (name, HeaderValue::from_static(value)))
                .collect(),
        }
    }
}
