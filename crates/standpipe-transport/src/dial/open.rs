//! From an origin to a finished stream: lookup, TCP, proxy, TLS, each timed and bounded by itself.

use std::net::SocketAddr;
use std::time::Duration;

use standpipe_core::{Error, ErrorKind, Origin, RequestSent};
use tokio::time::Instant;

use super::{Bound, Dial, Tcp, fault, secure};
use crate::config::Protocol;
use crate::conn::{BoxIo, Stream};
use crate::connect::{Connected, Way};
use crate::dns;
use crate::proxy::{self, ProxyServer, Route, Speaks};
use crate::tls;

/// A finished stream and how it came about.
pub(super) struct Opened {
    pub(super) stream: Stream,
    pub(super) http2: bool,
    pub(super) peer: Option<SocketAddr>,
    pub(super) local: Option<SocketAddr>,
    pub(super) dns_time: Option<Duration>,
    pub(super) connect_time: Duration,
    pub(super) tls_time: Option<Duration>,
}

/// A plain connection to the origin, or to its proxy.
struct Reached {
    connected: Connected,
    dns_time: Option<Duration>,
    connect_time: Duration,
    /// What is left of the time for connecting, which any proxy shares.
    bound: Bound,
    tls_time: Option<Duration>,
}

impl Dial {
    pub(super) async fn open(&self) -> Result<Opened, Error> {
        let Reached {
            connected,
            dns_time,
            connect_time,
            tls_time,
            bound: _,
        } = match &self.route {
            Route::Direct => self.reach(&self.origin).await?,
            Route::Forward(server) | Route::Tunnel(server) => self.reach_through(server).await?,
            Route::Unusable(name) => return Err(proxy::unusable_variable(name)),
        };
        let mut opened = Opened {
            stream: Stream::Plain(connected.io),
            http2: connected.negotiated_h2 || self.config.protocol == Protocol::Http2,
            peer: connected.peer,
            local: connected.local,
            dns_time,
            connect_time,
            tls_time,
        };
        if self.origin.is_https() && !self.config.tls_by_connector {
            opened = self.secure(opened).await?;
        }
        Ok(opened)
    }

    /// The plain connection to `hop`.
    async fn reach(&self, hop: &Origin) -> Result<Reached, Error> {
        let limit = self.config.timeouts.connect;
        let (addresses, dns_time) = match &*self.config.way {
            Way::Foreign(_) => (Vec::new(), None),
            Way::Tcp(tcp) => self.addresses(tcp, hop).await?,
        };
        let begun = Instant::now();
        let bound = Bound::begin(limit);
        let connected = match &*self.config.way {
            Way::Foreign(connector) => {
                let connecting = async {
                    let connected = connector.connect(hop.to_uri()).await;
                    connected.map_err(fault::of_connector)
                };
                bound.keep(ErrorKind::ConnectTimeout, connecting).await
            }
            Way::Tcp(tcp) => tcp.connect(addresses, limit, bound).await,
        };
        Ok(Reached {
            connected: connected?,
            dns_time,
            connect_time: begun.elapsed(),
            bound,
            tls_time: None,
        })
    }

    /// The addresses to try, and how long their lookup took.
    async fn addresses(
        &self,
        tcp: &Tcp,
        hop: &Origin,
    ) -> Result<(Vec<SocketAddr>, Option<Duration>), Error> {
        let found = dns::resolve(&tcp.lookups, hop, self.config.timeouts.dns).await?;
        if found.took.is_some() {
            self.tell_addresses(&found.addresses);
        }
        let mut addresses = found.addresses;
        // Where there is a proxy, its own address is the operator's choice, not the request's.
        if self.route == Route::Direct
            && let Some(filter) = &tcp.filter
        {
            addresses = filter.apply(&self.origin, addresses)?;
        }
        Ok((addresses, found.took))
    }

    fn tell_addresses(&self, addresses: &[SocketAddr]) {
        if let Some(tell) = self.config.on_addresses
            && let Some(pool) = self.pool.upgrade()
        {
            let addresses: Vec<_> = addresses.iter().map(SocketAddr::ip).collect();
            tell(&pool, &addresses);
        }
    }

    /// The connection through a proxy: to the origin, or to the proxy where that forwards requests.
    async fn reach_through(&self, server: &ProxyServer) -> Result<Reached, Error> {
        let (target, own_lookup) = self.target(server).await?;
        let reached = self.reach(server.hop()).await;
        let mut reached = reached.map_err(|error| unreachable(server, error))?;
        reached.dns_time = match (reached.dns_time, own_lookup) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        let begun = Instant::now();
        if server.speaks() == Speaks::Https {
            let io = self.secure_proxy(server, reached.connected.io).await?;
            reached.connected.io = io;
            reached.tls_time = Some(begun.elapsed());
        }
        if matches!(self.route, Route::Tunnel(_)) {
            let begun = Instant::now();
            let entering = proxy::enter(reached.connected.io, server, &target, &self.config.http1);
            let entered = reached
                .bound
                .keep(ErrorKind::ConnectTimeout, entering)
                .await;
            reached.connected.io = entered.map_err(|error| slow(server, error))?;
            reached.connect_time = reached.connect_time.saturating_add(begun.elapsed());
        }
        Ok(reached)
    }

    /// What a proxy is asked for, and how long a lookup for that took. What this side knows of
    /// the origin's address goes through the filter.
    async fn target(&self, server: &ProxyServer) -> Result<(String, Option<Duration>), Error> {
        let origin = &self.origin;
        let name = format!("{}:{}", origin.host(), origin.port());
        let Way::Tcp(tcp) = &*self.config.way else {
            return Ok((name, None));
        };
        if dns::literal(origin).is_none() && server.speaks() != Speaks::Socks5 {
            return Ok((name, None));
        }
        let found = dns::resolve(&tcp.lookups, origin, self.config.timeouts.dns).await?;
        let addresses = match &tcp.filter {
            Some(filter) => filter.apply(origin, found.addresses)?,
            None => found.addresses,
        };
        let target = addresses.first().map_or(name, SocketAddr::to_string);
        Ok((target, found.took))
    }

    async fn secure_proxy(&self, server: &ProxyServer, io: BoxIo) -> Result<BoxIo, Error> {
        let config = &self.config.tls;
        let handshake = async {
            let name = tls::name(server.hop().host_unbracketed())?;
            secure::shake_hands(io, config.proxy_config().await?, name).await
        };
        let bound = Bound::begin(self.config.timeouts.tls);
        match bound.keep(ErrorKind::TlsTimeout, handshake).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(unreachable(server, error)),
        }
    }

    async fn secure(&self, opened: Opened) -> Result<Opened, Error> {
        let Stream::Plain(io) = opened.stream else {
            return Ok(opened);
        };
        let tls = &self.config.tls;
        let begun = Instant::now();
        let handshake = async {
            let name = tls.server_name(self.origin.host_unbracketed())?;
            secure::shake_hands(io, tls.client_config().await?, name).await
        };
        let bound = Bound::begin(self.config.timeouts.tls);
        let stream = bound.keep(ErrorKind::TlsTimeout, handshake).await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        if !http2 && self.config.protocol == Protocol::Http2 {
            return Err(Error::new(ErrorKind::Protocol)
                .with_request_sent(RequestSent::No)
                .with_message("the server did not agree to speak HTTP/2"));
        }
        // The proxy's handshake, where there was one, was a part of this one's way.
        let before = opened.tls_time.unwrap_or_default();
        Ok(Opened {
            stream: Stream::Tls(Box::new(stream)),
            http2,
            tls_time: Some(before.saturating_add(begun.elapsed())),
            ..opened
        })
    }
}

/// A proxy that could not be reached. What this machine lacks is still that, and a clock that ran
/// out is still one.
fn unreachable(server: &ProxyServer, error: Error) -> Error {
    let kind = error.kind();
    if kind.is_local() || kind.is_timeout() {
        let outer = Error::new(kind).with_message(format!("on the way to {server}"));
        return outer.with_source(error);
    }
    proxy::failed(server, "could not be reached").with_source(error)
}

/// A proxy that took too long to answer is one that failed.
fn slow(server: &ProxyServer, error: Error) -> Error {
    if error.kind() != ErrorKind::ConnectTimeout {
        return error;
    }
    proxy::failed(server, "did not answer in time").with_source(error)
}
