//! The TLS handshake.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use standpipe_core::{Error, ErrorKind};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::conn::BoxIo;

pub(super) async fn shake_hands(
    io: BoxIo,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> Result<TlsStream<BoxIo>, Error> {
    let connecting = TlsConnector::from(config).connect(name, io);
    connecting.await.map_err(handshake_error)
}

/// A connection that is lost meanwhile says nothing about the peer's certificate or its TLS: it is a
/// connection that could not be opened.
fn handshake_error(error: io::Error) -> Error {
    let by_tls = error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>());
    if by_tls {
        Error::new(ErrorKind::Tls).with_source(error)
    } else {
        Error::new(ErrorKind::Connect)
            .with_message("the connection ended during the TLS handshake")
            .with_source(error)
    }
}
