use std::num::NonZeroUsize;

use standpipe_core::{Body, BoxError, Closing, Error, Origin};
use standpipe_transport::{OriginTransport, Transport, TransportBuilder};
use tower_service::Service;

use super::connection_events::ConnectionEvents;
use super::swapped::Swapped;
use super::until_shutdown::UntilShutdown;
use crate::PoolConfig;

/// What a pool is built over: a transport of ours that is yet to be built, or any service.
pub trait IntoBottom {
    /// What serves requests in the end.
    type Bottom: Bottom;

    #[doc(hidden)]
    fn into_bottom(
        self,
        config: &PoolConfig,
        events: Option<ConnectionEvents>,
    ) -> Result<Self::Bottom, Error>;
}

/// The bottom of a pool's stack. It cannot be implemented outside of this crate.
pub trait Bottom: sealed::Sealed + Clone + Send + Sync + 'static {
    /// What serves one origin.
    type Service: Service<http::Request<Body>, Response = http::Response<Body>, Error = BoxError>
        + Clone
        + Send
        + Sync
        + 'static;

    /// Whether a request ends at its [`Deadline`](standpipe_core::Deadline) by itself.
    #[doc(hidden)]
    const HOLDS_TO_DEADLINES: bool;

    #[doc(hidden)]
    fn origin(&self, origin: &Origin, closing: &Closing) -> Self::Service;

    /// Applies what the host's settings say, once its stack is made.
    #[doc(hidden)]
    fn configure(service: &Self::Service, max_connections: Option<NonZeroUsize>);

    #[doc(hidden)]
    fn transport(&self) -> Option<&Transport>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Transport {}
    impl<S> Sealed for super::Swapped<S> {}
}

impl IntoBottom for TransportBuilder {
    type Bottom = Transport;

    fn into_bottom(
        self,
        config: &PoolConfig,
        events: Option<ConnectionEvents>,
    ) -> Result<Transport, Error> {
        let builder = match events {
            Some(events) => self.events(events),
            None => self,
        };
        builder
            .max_connections_per_host(config.max_connections_per_host)
            .max_connections(config.max_connections)
            .max_idle_per_host(config.max_idle_per_host)
            .min_idle(config.min_idle)
            .max_idle(config.max_idle)
            .max_waiting_per_host(config.max_waiting_per_host)
            .idle_timeout(config.idle_timeout)
            .max_lifetime(config.max_connection_lifetime)
            .max_requests_per_connection(config.max_requests_per_connection)
            .retire_on_dns_change(config.retire_on_dns_change)
            .acquire_timeout(config.acquire_timeout)
            .connect_timeout(config.dial_timeout)
            .tls_timeout(config.tls_handshake_timeout)
            .response_head_timeout(config.response_header_timeout)
            .body_idle_timeout(config.body_idle_timeout)
            .body_throughput(config.body_throughput)
            .write_idle_timeout(config.write_idle_timeout)
            .tcp_keepalive(config.tcp_keepalive)
            .tcp_keepalive_interval(config.tcp_keepalive_interval)
            .tcp_keepalive_retries(config.tcp_keepalive_retries)
            .local_address(config.local_address)
            .protocol(config.protocol)
            .build()
    }
}

impl Bottom for Transport {
    type Service = OriginTransport;
    const HOLDS_TO_DEADLINES: bool = true;

    fn origin(&self, origin: &Origin, _: &Closing) -> OriginTransport {
        Self::origin(self, origin)
    }

    fn configure(service: &OriginTransport, max_connections: Option<NonZeroUsize>) {
        service.configure_max_connections(max_connections);
    }

    fn transport(&self) -> Option<&Transport> {
        Some(self)
    }
}

impl<S> IntoBottom for Swapped<S>
where
    Self: Bottom,
{
    type Bottom = Self;

    fn into_bottom(self, _: &PoolConfig, _: Option<ConnectionEvents>) -> Result<Self, Error> {
        Ok(self)
    }
}

impl<S> Bottom for Swapped<S>
where
    Self: Service<http::Request<Body>, Response = http::Response<Body>, Error = BoxError>
        + Clone
        + Send
        + Sync
        + 'static,
{
    type Service = UntilShutdown<Self>;
    const HOLDS_TO_DEADLINES: bool = false;

    fn origin(&self, origin: &Origin, closing: &Closing) -> UntilShutdown<Self> {
        UntilShutdown::new(self.clone(), origin, closing)
    }

    fn configure(_: &UntilShutdown<Self>, _: Option<NonZeroUsize>) {}

    fn transport(&self) -> Option<&Transport> {
        None
    }
}
