//! What is set up of our own transport.

use std::sync::Arc;

use rustls::ClientConfig;
use standpipe_transport::{Connector, Proxy, TlsConfig, TransportBuilder};

use super::PoolBuilder;

impl<O, H> PoolBuilder<O, H, TransportBuilder> {
    /// Settings of TLS, one by one.
    #[must_use]
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.bottom = self.bottom.tls(tls);
        self
    }

    /// A finished configuration of rustls, for those who have one; see
    /// [`TlsConfig::from_rustls`].
    #[must_use]
    pub fn tls_config(self, config: Arc<ClientConfig>) -> Self {
        self.tls(TlsConfig::from_rustls(config))
    }

    /// Opens connections by `connector` in place of the default one; see
    /// [`Connector`].
    #[must_use]
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.bottom = self.bottom.connector(connector);
        self
    }

    /// The proxy to go through, in place of the environment's; see [`Proxy`].
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.bottom = self.bottom.proxy(proxy);
        self
    }

    /// Goes through no proxy, whatever the environment says.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.bottom = self.bottom.no_proxy();
        self
    }

    /// Sets the transport up further: TCP, DNS, HTTP/1.1 and HTTP/2 settings, resolvers, address
    /// filters, events. What [`PoolConfig`](crate::PoolConfig) has a field for is set from there.
    #[must_use]
    pub fn configure_transport(
        mut self,
        configure: impl FnOnce(TransportBuilder) -> TransportBuilder,
    ) -> Self {
        self.bottom = configure(self.bottom);
        self
    }
}
