use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use super::builder::{Answer, ServerBuilder};
use crate::serving::{ConnectionCounts, CountedIo, Spawner, Wire};

/// One connection from its acceptance to its end.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) settings: Arc<ServerBuilder>,
    pub(super) counts: ConnectionCounts,
    pub(super) spawner: Spawner,
    /// Told when the last request that the connection may carry has come.
    pub(super) last_request: Arc<Notify>,
    /// Told when the server has its connections end.
    pub(super) drained: Arc<Notify>,
}

impl Connection {
    pub(super) async fn serve(self, io: CountedIo) {
        let Some(config) = self.settings.tls.clone() else {
            return self.serve_http(io, false).await;
        };
        match TlsAcceptor::from(config).accept(io).await {
            Ok(io) => {
                let h2_agreed = io.get_ref().1.alpn_protocol() == Some(b"h2");
                self.serve_http(io, h2_agreed).await;
            }
            Err(_) => self.counts.handshake_failed(),
        }
    }

    // How a connection ends is for the client's side of the test to judge: errors of hyper's, such
    // as a client gone in mid-request, are no errors of the server's.
    async fn serve_http(self, io: impl Wire, h2_agreed: bool) {
        if self.settings.protocol.is_http2(h2_agreed) {
            self.serve_http2(io).await;
        } else {
            let service = service_fn(|request| self.clone().answer(request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(io), service);
            let mut connection = pin!(connection.with_upgrades());
            tokio::select! {
                biased;
                () = self.drained.notified() => connection.as_mut().graceful_shutdown(),
                _ = connection.as_mut() => return,
            }
            let _ = connection.await;
        }
    }

    async fn serve_http2(self, io: impl Wire) {
        let mut builder = http2::Builder::new(self.spawner.clone());
        if let Some(n) = self.settings.max_concurrent_streams {
            builder.max_concurrent_streams(n);
        }
        let service = service_fn(|request| self.clone().answer(request));
        let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
        // A busy connection uses up its task's turn: polled first, it would keep those that end it from
        // being heard for as long as it is busy.
        tokio::select! {
            biased;
            () = self.drained.notified() => connection.as_mut().graceful_shutdown(),
            () = self.last_request.notified() => connection.as_mut().graceful_shutdown(),
            _ = connection.as_mut() => return,
        }
        let _ = connection.await;
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let before = self.counts.request().of_connection;
        let last = self
            .settings
            .close_after
            .is_some_and(|n| before + 1 >= n.get());
        let http2 = request.version() == Version::HTTP_2;
        if last && http2 {
            self.last_request.notify_one();
        }
        let mut answer = (self.settings.handler)(request).await;
        if last && !http2 {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(CONNECTION, close);
        }
        Ok(answer)
    }
}
