//! Tunnels through a SOCKS proxy (RFC 1928), by hyper-util.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::rt::TokioIo;
use standpipe_core::Error;
use tower_service::Service;

use super::{ProxyServer, failed};
use crate::conn::BoxIo;

/// hyper-util's errors keep no source and hold no credentials; what they say is all there is.
pub(crate) async fn enter(io: BoxIo, server: &ProxyServer, target: &str) -> Result<BoxIo, Error> {
    let target: Uri = target
        .parse()
        .map_err(|error| failed(server, "cannot be asked for it").with_source(error))?;
    let mut socks = SocksV5::new(server.hop().to_uri(), Given(Some(TokioIo::new(io))));
    if let Some((user, password)) = server.user_and_password() {
        socks = socks.with_auth(user.into(), password.into());
    }
    match socks.call(target).await {
        Ok(io) => Ok(io.into_inner()),
        Err(error) => Err(failed(server, "opened no tunnel").with_source(error.to_string())),
    }
}

/// A connector that has its connection.
struct Given(Option<TokioIo<BoxIo>>);

impl Service<Uri> for Given {
    type Response = TokioIo<BoxIo>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(Ok(self.0.take().expect("a connection is asked for once")))
    }
}
