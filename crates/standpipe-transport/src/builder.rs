use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::connect::dns::GaiResolver;
use standpipe_core::{Error, Origin};

use crate::check;
use crate::config::{
    Http1Config, Http2Config, MinThroughput, PhaseTimeouts, PoolLimits, Protocol, TcpConfig,
};
use crate::connect::{self, BoxConnector, Connector, Way};
use crate::dial::Tcp;
use crate::dns::{self, AddressFilter, BoxResolver, Lookups, Resolver};
use crate::events::{Events, PoolEvents};
use crate::key::DialConfig;
use crate::pool::OriginPool;
use crate::proxy::{Choice, Proxy};
use crate::service::Transport;
use crate::tls::{Tls, TlsConfig};

/// Builds a [`Transport`].
///
/// Each setter sets the field of the same name; [`limits`](TransportBuilder::limits) and
/// [`timeouts`](TransportBuilder::timeouts) set all of a kind at once.
#[derive(Clone, Debug, Default)]
pub struct TransportBuilder {
    limits: PoolLimits,
    timeouts: PhaseTimeouts,
    tcp: TcpConfig,
    tls: TlsConfig,
    protocol: Protocol,
    http1: Http1Config,
    http2: Http2Config,
    connector: Option<BoxConnector>,
    tls_by_connector: bool,
    resolver: Option<BoxResolver>,
    filter: Option<AddressFilter>,
    proxies: Choice,
    /// Whether a proxy that cannot be used is told by dials alone.
    unchecked_proxies: bool,
    events: Events,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $ty:ty => $($field:ident).+;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: $ty) -> Self {
            self.$($field).+ = $name;
            self
        }
    )*};
}

impl TransportBuilder {
    setters! {
        /// All limits on connections.
        limits: PoolLimits => limits;
        /// All timeouts.
        timeouts: PhaseTimeouts => timeouts;
        /// How the default connector opens TCP connections.
        tcp: TcpConfig => tcp;
        /// Settings of TLS.
        tls: TlsConfig => tls;
        /// Which HTTP versions are spoken.
        protocol: Protocol => protocol;
        /// Settings of HTTP/1.1.
        http1: Http1Config => http1;
        /// Settings of HTTP/2.
        http2: Http2Config => http2;
        /// The connector gives finished IO: it does TLS itself and tells by hyper-util's
        /// `Connected::negotiated_h2` whether that is HTTP/2.
        tls_by_connector: bool => tls_by_connector;
        /// [`PoolLimits::max_connections_per_host`].
        max_connections_per_host: usize => limits.max_connections_per_host;
        /// [`PoolLimits::max_connections`].
        max_connections: Option<usize> => limits.max_connections;
        /// [`PoolLimits::max_idle_per_host`].
        max_idle_per_host: usize => limits.max_idle_per_host;
        /// [`PoolLimits::min_idle`].
        min_idle: usize => limits.min_idle;
        /// [`PoolLimits::max_idle`].
        max_idle: usize => limits.max_idle;
        /// [`PoolLimits::max_waiting_per_host`].
        max_waiting_per_host: Option<usize> => limits.max_waiting_per_host;
        /// [`PoolLimits::idle_timeout`].
        idle_timeout: Option<Duration> => limits.idle_timeout;
        /// [`PoolLimits::max_lifetime`].
        max_lifetime: Option<Duration> => limits.max_lifetime;
        /// [`PoolLimits::max_requests_per_connection`].
        max_requests_per_connection: Option<u64> => limits.max_requests_per_connection;
        /// [`PoolLimits::retire_on_dns_change`].
        retire_on_dns_change: bool => limits.retire_on_dns_change;
        /// [`PhaseTimeouts::acquire`].
        acquire_timeout: Option<Duration> => timeouts.acquire;
        /// [`PhaseTimeouts::dns`].
        dns_timeout: Option<Duration> => timeouts.dns;
        /// [`PhaseTimeouts::connect`].
        connect_timeout: Option<Duration> => timeouts.connect;
        /// [`PhaseTimeouts::tls`].
        tls_timeout: Option<Duration> => timeouts.tls;
        /// [`PhaseTimeouts::response_head`].
        response_head_timeout: Option<Duration> => timeouts.response_head;
        /// [`PhaseTimeouts::body_idle`].
        body_idle_timeout: Option<Duration> => timeouts.body_idle;
        /// [`PhaseTimeouts::body_throughput`].
        body_throughput: Option<MinThroughput> => timeouts.body_throughput;
        /// [`PhaseTimeouts::write_idle`].
        write_idle_timeout: Option<Duration> => timeouts.write_idle;
        /// [`TcpConfig::keepalive`].
        tcp_keepalive: Option<Duration> => tcp.keepalive;
        /// [`TcpConfig::keepalive_interval`].
        tcp_keepalive_interval: Option<Duration> => tcp.keepalive_interval;
        /// [`TcpConfig::keepalive_retries`].
        tcp_keepalive_retries: Option<u32> => tcp.keepalive_retries;
        /// [`TcpConfig::local_address`].
        local_address: Option<IpAddr> => tcp.local_address;
    }

    /// Opens connections by `connector` in place of the default one. [`TcpConfig`] is the default
    /// connector's and then of no effect; a resolver and an address filter are too, and are
    /// therefore refused together with it. The environment's proxies do not count then, unless
    /// [asked for](TransportBuilder::proxies_from_env).
    #[must_use]
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.connector = Some(connect::erase(connector));
        self
    }

    /// Resolves names by `resolver`. Default: the system's `getaddrinfo`, on tokio's blocking threads.
    ///
    /// However many connections to one host are opened at a time, the resolver is asked once.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolver = Some(dns::erase(resolver));
        self
    }

    /// Connects to those addresses alone that `allows` returns true for; it is asked for each
    /// address that was resolved for an origin and for those that URLs name, right before they
    /// are connected to. Where none is left, the request fails with
    /// [`AddressRefused`](standpipe_core::ErrorKind::AddressRefused).
    ///
    /// So a service that fetches URLs of others can be kept from its own network, whatever their
    /// names resolve to. An origin whose name a proxy resolves is out of its reach; a proxy's own
    /// address is not asked for. Redirects and connections of other pools are not its business: a
    /// connection that was opened before is used again without asking.
    #[must_use]
    pub fn address_filter(
        mut self,
        allows: impl Fn(&Origin, &SocketAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.filter = Some(AddressFilter::new(allows));
        self
    }

    /// Goes through `proxy` to the origins that it is for. Of several, the first one added that is
    /// for an origin is taken; an origin that none is for is reached directly.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxies.add(proxy.into_rule());
        self
    }

    /// Goes through the proxies that `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` name, in
    /// upper or lower case, after any that were [added](TransportBuilder::proxy).
    ///
    /// This is the default where neither a proxy nor a connector is set, as in Go and reqwest. The
    /// environment is read once, by [`build`](TransportBuilder::build). This machine itself
    /// (`localhost`, `127.0.0.0/8`, `::1`) is never reached through them, and where
    /// `REQUEST_METHOD` is set, in a CGI script, `HTTP_PROXY` in upper case does not count.
    #[must_use]
    pub fn proxies_from_env(mut self) -> Self {
        self.proxies.add_env();
        self
    }

    /// Goes through no proxy, whatever the environment says.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.proxies = Choice::Never;
        self
    }

    /// A variable of the environment that holds no proxy is the error of each dial that would go through
    /// it, and not of [`build`](TransportBuilder::build): for clients whose making cannot fail.
    #[must_use]
    pub fn proxies_told_by_dials(mut self) -> Self {
        self.unchecked_proxies = true;
        self
    }

    /// Tells `events` what happens in the pool, after those that were set before.
    #[must_use]
    pub fn events(mut self, events: impl PoolEvents) -> Self {
        self.events = self.events.and(events);
        self
    }

    /// Builds the transport. It opens no connection and needs no runtime.
    ///
    /// # Errors
    ///
    /// [`Config`](standpipe_core::ErrorKind::Config), naming the field, its value and what is allowed; or the
    /// environment's variable that holds no proxy.
    pub fn build(self) -> Result<Transport, Error> {
        check::limits(&self.limits)?;
        check::tcp(&self.tcp)?;
        check::timeouts(&self.timeouts)?;
        self.check_connector()?;
        self.tls.check()?;
        let unchecked_proxies = self.unchecked_proxies;
        let (limits, config, events) = self.into_parts();
        if !unchecked_proxies {
            check::proxies(&config)?;
        }
        Ok(Transport::new(&limits, Arc::new(config), events))
    }

    pub(crate) fn build_unchecked(self) -> Transport {
        let (limits, config, events) = self.into_parts();
        Transport::new(&limits, Arc::new(config), events)
    }

    pub(crate) fn into_parts(self) -> (PoolLimits, DialConfig, Events) {
        let proxies = self.proxies.resolve(self.connector.is_some());
        let way = match self.connector {
            Some(connector) => Way::Foreign(connector),
            None => Way::Tcp(Tcp {
                config: self.tcp,
                lookups: Lookups::new(
                    self.resolver
                        .unwrap_or_else(|| dns::erase(GaiResolver::new())),
                ),
                filter: self.filter,
            }),
        };
        let config = DialConfig {
            way: Arc::new(way),
            proxies: Arc::new(proxies),
            tls: Tls::new(self.tls, self.protocol),
            protocol: self.protocol,
            tls_by_connector: self.tls_by_connector,
            timeouts: self.timeouts,
            http1: self.http1,
            http2: self.http2,
            on_addresses: self.limits.retire_on_dns_change.then_some(retire_others),
        };
        (self.limits, config, self.events)
    }

    fn check_connector(&self) -> Result<(), Error> {
        check::connector(&check::Connector {
            own: self.connector.is_some(),
            does_tls: self.tls_by_connector,
            filter: self.filter.is_some(),
            resolver: self.resolver.is_some(),
            retires: self.limits.retire_on_dns_change,
        })
    }
}

fn retire_others(pool: &Arc<OriginPool>, addresses: &[IpAddr]) {
    pool.keep_addresses(addresses);
}
