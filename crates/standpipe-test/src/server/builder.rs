use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use rustls::ServerConfig;
use standpipe_core::BoxError;

use super::Server;
use crate::memory::Listener;
use crate::serving::Source;

/// How a [`Server`] will be; see [`Server::builder`].
#[derive(Clone)]
#[must_use = "a server serves when it is started"]
pub struct ServerBuilder {
    pub(super) protocol: Protocol,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) max_concurrent_streams: Option<u32>,
    pub(super) close_after: Option<NonZeroUsize>,
    pub(super) handler: Handler,
}

/// Which protocol a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Auto,
    Http1,
    Http2,
}

impl Protocol {
    /// Whether HTTP/2 is spoken, when ALPN has agreed on it or not.
    pub(crate) fn is_http2(self, h2_agreed: bool) -> bool {
        match self {
            Self::Auto => h2_agreed,
            Self::Http1 => false,
            Self::Http2 => true,
        }
    }
}

pub(super) type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;
type AnswerFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;
pub(super) type Handler = Arc<dyn Fn(Request<Incoming>) -> AnswerFuture + Send + Sync>;

impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            protocol: Protocol::Auto,
            tls: None,
            max_concurrent_streams: None,
            close_after: None,
            handler: boxed(|_| async { Response::new(Empty::<Bytes>::new()) }),
        }
    }

    /// Speaks HTTP/2 where TLS has agreed on it by ALPN, and HTTP/1.1 otherwise. This is the
    /// default.
    pub fn auto(mut self) -> Self {
        self.protocol = Protocol::Auto;
        self
    }

    /// Speaks HTTP/1.1, whatever ALPN says.
    pub fn http1(mut self) -> Self {
        self.protocol = Protocol::Http1;
        self
    }

    /// Speaks HTTP/2, whatever ALPN says; without TLS, by prior knowledge.
    pub fn http2(mut self) -> Self {
        self.protocol = Protocol::Http2;
        self
    }

    /// Serves over TLS; a [`Ca`](crate::Ca) makes the configuration.
    pub fn tls(mut self, config: Arc<ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// How many streams of HTTP/2 may be open at once on a connection. 200, unless set.
    pub fn max_concurrent_streams(mut self, n: u32) -> Self {
        self.max_concurrent_streams = Some(n);
        self
    }

    /// Closes each connection in good order after `n` requests: by `Connection: close` in the
    /// answer to the last, or by a GOAWAY when the last has come. Streams that were begun before
    /// the client has seen the GOAWAY are served still.
    ///
    /// # Panics
    ///
    /// When `n` is 0.
    #[track_caller]
    pub fn close_after(mut self, n: usize) -> Self {
        self.close_after = Some(NonZeroUsize::new(n).expect("at least one request"));
        self
    }

    /// What answers the requests; unless set, an empty 200. When it panics, or a body it gave
    /// fails, the client sees the connection or the stream break.
    pub fn handler<F, Fut, B>(mut self, answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.handler = boxed(answer);
        self
    }

    /// Starts on a free port of the loopback address.
    ///
    /// # Panics
    ///
    /// When no port can be had, or outside a tokio runtime with IO enabled.
    pub async fn start(self) -> Server {
        Server::start(self, Source::loopback().await)
    }

    /// Starts on an address of an in-memory network.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start_on(self, listener: Listener) -> Server {
        Server::start(self, Source::Memory(listener))
    }
}

impl std::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("protocol", &self.protocol)
            .field("tls", &self.tls.is_some())
            .field("max_concurrent_streams", &self.max_concurrent_streams)
            .field("close_after", &self.close_after)
            .finish_non_exhaustive()
    }
}

fn boxed<F, Fut, B>(answer: F) -> Handler
where
    F: Fn(Request<Incoming>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    Arc::new(move |request| {
        let answer = answer(request);
        Box::pin(async move {
            let answer = answer.await;
            answer.map(|body| body.map_err(Into::into).boxed_unsync())
        })
    })
}
