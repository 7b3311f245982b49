//! Proxies: which one an origin is reached through, and the agreement with it.

mod connect;
mod env;
mod exempt;
mod rewound;
mod rule;
mod server;
mod socks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use standpipe_core::{Error, ErrorKind};

pub(crate) use rule::{Choice, Proxies, Route, Rule, unusable_variable};
pub(crate) use server::{ProxyServer, Speaks};

use crate::config::Http1Config;
use crate::conn::BoxIo;
use exempt::Exempt;
use rule::Scope;

/// A proxy, and which origins it is for.
///
/// Its URL has the scheme `http`, `https` (TLS to the proxy itself), `socks5` (names are resolved
/// on this side, as curl has it) or `socks5h` (by the proxy), and may hold credentials as
/// userinfo. An `http` origin is reached through an HTTP proxy by requests in absolute form, every
/// other origin through a tunnel (`CONNECT`, or SOCKS).
///
/// The credentials are part of what tells connections apart, and never shown by `Debug` or an
/// error.
///
/// ```
/// use standpipe_transport::{Proxy, Transport};
///
/// # fn main() -> Result<(), standpipe_core::Error> {
/// let proxy = Proxy::all("http://proxy.example:3128")?
///     .credentials("me", "secret")?
///     .no_proxy("internal.example, 10.0.0.0/8");
/// let transport = Transport::builder().proxy(proxy).build()?;
/// # let _ = transport; Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Proxy {
    scope: Scope,
    server: ProxyServer,
    exempt: Exempt,
}

impl Proxy {
    /// A proxy for all origins.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) where `url` is not one of a proxy as above.
    pub fn all(url: &str) -> Result<Self, Error> {
        Self::new(Scope::All, url)
    }

    /// A proxy for `http` origins.
    ///
    /// # Errors
    ///
    /// As [`all`](Proxy::all).
    pub fn http(url: &str) -> Result<Self, Error> {
        Self::new(Scope::Http, url)
    }

    /// A proxy for `https` origins.
    ///
    /// # Errors
    ///
    /// As [`all`](Proxy::all).
    pub fn https(url: &str) -> Result<Self, Error> {
        Self::new(Scope::Https, url)
    }

    fn new(scope: Scope, url: &str) -> Result<Self, Error> {
        Ok(Self {
            scope,
            server: ProxyServer::parse(url)?,
            exempt: Exempt::default(),
        })
    }

    /// The same with these credentials in place of those in the URL: Basic (RFC 7617) for an HTTP
    /// proxy, user and password (RFC 1929) for SOCKS.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) where they are too long, or empty with SOCKS.
    pub fn credentials(mut self, user: &str, password: &str) -> Result<Self, Error> {
        self.server = self.server.with_credentials(user, password)?;
        Ok(self)
    }

    /// The same, but not for the hosts of this list, which has the syntax of `NO_PROXY`: names
    /// (with all below them, a leading `.` or `*.` makes no difference), addresses, networks such
    /// as `10.0.0.0/8`, each with a port or for all, or `*`; separated by commas.
    #[must_use]
    pub fn no_proxy(mut self, hosts: &str) -> Self {
        self.exempt = Exempt::parse(hosts);
        self
    }

    pub(crate) fn into_rule(self) -> Rule {
        Rule {
            scope: self.scope,
            server: Ok(Arc::new(self.server)),
            exempt: self.exempt,
        }
    }
}

/// Has `server` pass the bytes of `io` on to `target`, a host with a port.
pub(crate) async fn enter(
    io: BoxIo,
    server: &ProxyServer,
    target: &str,
    config: &Http1Config,
) -> Result<BoxIo, Error> {
    match server.speaks() {
        Speaks::Http | Speaks::Https => connect::enter(io, server, target, config).await,
        Speaks::Socks5 | Speaks::Socks5h => socks::enter(io, server, target).await,
    }
}

/// What is wrong with a proxy.
pub(crate) fn failed(server: &ProxyServer, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Proxy).with_message(format!("{server} {what}"))
}
