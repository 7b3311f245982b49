//! Raw hyper clients, which show what a server does as its peer sees it.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::BodyExt;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use standpipe_core::BoxError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) async fn http1<B>(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> http1::SendRequest<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (client, connection) = http1::handshake(TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    client
}

pub(crate) async fn http2<B>(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> http2::SendRequest<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(1 << 20);
    let (client, connection) = builder.handshake(TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    client
}

pub(crate) async fn tls<S>(
    config: Arc<ClientConfig>,
    name: &'static str,
    io: S,
) -> std::io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(name).unwrap();
    TlsConnector::from(config).connect(name, io).await
}

/// The whole body of a response.
pub(crate) async fn text<B>(response: Response<B>) -> String
where
    B: Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}
