//! Under which key connections are shared.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use standpipe_core::Origin;

use crate::config::{Http1Config, Http2Config, PhaseTimeouts, Protocol};
use crate::connect::Way;
use crate::dns::OnAddresses;
use crate::proxy::{Proxies, Route};
use crate::tls::Tls;

/// All that decides how a connection is made.
///
/// [`ConnectionKey::new`] takes it apart field by field, without `..`: a new field does not compile
/// until its place in the key has been decided.
#[derive(Clone, Debug)]
pub(crate) struct DialConfig {
    pub(crate) way: Arc<Way>,
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) tls: Tls,
    pub(crate) protocol: Protocol,
    pub(crate) tls_by_connector: bool,
    pub(crate) timeouts: PhaseTimeouts,
    pub(crate) http1: Http1Config,
    pub(crate) http2: Http2Config,
    /// Where connections are retired whose address is no longer the host's.
    pub(crate) on_addresses: Option<OnAddresses>,
}

/// The identity of a connection: two requests share one only where this is equal.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionKey {
    origin: Origin,
    /// Roots, client certificate, server name, verifier and ALPN are all settings of one TLS
    /// configuration; two configurations are never taken for equal, whatever they hold.
    tls: TlsIdentity,
    /// The way out: it stands for the connector, or for the resolver, the address filter, the local
    /// address and the settings of TCP.
    way: WayIdentity,
    /// The proxy that this origin is reached through, with our credentials for it.
    route: Route,
    protocol: Protocol,
    tls_by_connector: bool,
}

/// The identity of a TLS configuration. It keeps the configuration alive, so that its address
/// cannot become another one's.
#[derive(Clone, Debug)]
struct TlsIdentity(Tls);

/// The identity of the way out, likewise.
#[derive(Clone, Debug)]
struct WayIdentity(Arc<Way>);

impl ConnectionKey {
    pub(crate) fn new(origin: Origin, config: &DialConfig) -> Self {
        let DialConfig {
            way,
            proxies,
            tls,
            protocol,
            tls_by_connector,
            // How long a dial may take and how large a head may be does not change who is at the
            // other end.
            timeouts: _,
            http1: _,
            http2: _,
            // Nor does what is done with an answer of the resolver.
            on_addresses: _,
        } = config;
        Self {
            route: proxies.route(&origin, *protocol),
            origin,
            tls: TlsIdentity(tls.clone()),
            way: WayIdentity(Arc::clone(way)),
            protocol: *protocol,
            tls_by_connector: *tls_by_connector,
        }
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn route(&self) -> &Route {
        &self.route
    }
}

impl PartialEq for ConnectionKey {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            origin,
            tls,
            way,
            route,
            protocol,
            tls_by_connector,
        } = self;
        *origin == other.origin
            && tls.0.is_same(&other.tls.0)
            && Arc::ptr_eq(&way.0, &other.way.0)
            && *route == other.route
            && *protocol == other.protocol
            && *tls_by_connector == other.tls_by_connector
    }
}

impl Eq for ConnectionKey {}

impl Hash for ConnectionKey {
    /// The origin alone tells nearly all keys apart; the rest is left to the comparison.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.origin.hash(state);
    }
}
