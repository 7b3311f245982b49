//! Under which key connections are shared.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use standpipe_core::Origin;

use crate::config::{Http1Config, Http2Config, PhaseTimeouts, Protocol};
use crate::connect::BoxConnector;
use crate::tls::Tls;

/// All that decides how a connection is made.
///
/// [`ConnectionKey::new`] takes it apart field by field, without `..`: a new field does not compile
/// until its place in the key has been decided.
#[derive(Clone, Debug)]
pub(crate) struct DialConfig {
    pub(crate) connector: BoxConnector,
    pub(crate) tls: Tls,
    pub(crate) protocol: Protocol,
    pub(crate) tls_by_connector: bool,
    pub(crate) timeouts: PhaseTimeouts,
    pub(crate) http1: Http1Config,
    pub(crate) http2: Http2Config,
}

/// The identity of a connection: two requests share one only where this is equal.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionKey {
    origin: Origin,
    /// Roots, client certificate, server name, verifier and ALPN are all settings of one TLS
    /// configuration; two configurations are never taken for equal, whatever they hold.
    tls: TlsIdentity,
    /// The way out: a connector stands for its proxy, the proxy's credentials, the resolver and
    /// the local address.
    connector: ConnectorIdentity,
    protocol: Protocol,
    tls_by_connector: bool,
}

/// The identity of a TLS configuration. It keeps the configuration alive, so that its address
/// cannot become another one's.
#[derive(Clone, Debug)]
struct TlsIdentity(Tls);

/// The identity of a connector, likewise.
#[derive(Clone, Debug)]
struct ConnectorIdentity(BoxConnector);

impl ConnectionKey {
    pub(crate) fn new(origin: Origin, config: &DialConfig) -> Self {
        let DialConfig {
            connector,
            tls,
            protocol,
            tls_by_connector,
            // How long a dial may take and how large a head may be does not change who is at the
            // other end.
            timeouts: _,
            http1: _,
            http2: _,
        } = config;
        Self {
            origin,
            tls: TlsIdentity(tls.clone()),
            connector: ConnectorIdentity(connector.clone()),
            protocol: *protocol,
            tls_by_connector: *tls_by_connector,
        }
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl PartialEq for ConnectionKey {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            origin,
            tls,
            connector,
            protocol,
            tls_by_connector,
        } = self;
        *origin == other.origin
            && tls.0.is_same(&other.tls.0)
            && Arc::ptr_eq(&connector.0, &other.connector.0)
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
