//! From a host to its addresses: literals, lookups, and the filter over both.

mod fault;
mod filter;
mod lookups;
mod resolver;
#[cfg(all(test, not(standpipe_loom)))]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub use hyper_util::client::legacy::connect::dns::Name;
use standpipe_core::{Error, ErrorKind, Origin, Phase};
use tokio::time::Instant;

pub(crate) use fault::kind_of;
pub(crate) use filter::AddressFilter;
pub(crate) use lookups::Lookups;
pub use resolver::Resolver;
pub(crate) use resolver::{BoxResolver, erase};

use crate::connect::Way;
use crate::key::DialConfig;
use crate::pool::OriginPool;

/// What a pool does with the addresses of a fresh answer: connections to others are retired.
pub(crate) type OnAddresses = fn(&Arc<OriginPool>, &[IpAddr]);

/// The addresses of a host, and how long the lookup took where there was one.
pub(crate) struct Found {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) took: Option<Duration>,
}

/// The host's address where it is one itself.
pub(crate) fn literal(origin: &Origin) -> Option<SocketAddr> {
    let address: IpAddr = origin.host_unbracketed().parse().ok()?;
    Some(SocketAddr::new(address, origin.port()))
}

/// The addresses of `origin`'s host with its port, before any filter.
pub(crate) async fn resolve(
    lookups: &Arc<Lookups>,
    origin: &Origin,
    limit: Option<Duration>,
) -> Result<Found, Error> {
    if let Some(address) = literal(origin) {
        return Ok(Found {
            addresses: vec![address],
            took: None,
        });
    }
    let begun = Instant::now();
    let answer = lookups.resolve(origin.host_unbracketed(), limit).await?;
    let port = origin.port();
    let explicit = port != if origin.is_https() { 443 } else { 80 };
    let with_port = |address: &SocketAddr| {
        let mut address = *address;
        if explicit || address.port() == 0 {
            address.set_port(port);
        }
        address
    };
    Ok(Found {
        addresses: answer.iter().map(with_port).collect(),
        took: Some(begun.elapsed()),
    })
}

/// The addresses that a new connection for `origin` would go to, resolved now: the origin's own,
/// or those of its proxy. They are what a connection's `peer` is to be compared with.
///
/// # Errors
///
/// As a dial's first phase. [`Config`](ErrorKind::Config) where a connector of the user's own
/// resolves the names.
pub(crate) async fn addresses_of(
    config: &DialConfig,
    origin: &Origin,
) -> Result<Vec<IpAddr>, Error> {
    let Way::Tcp(tcp) = &*config.way else {
        return Err(Error::new(ErrorKind::Config)
            .with_phase(Phase::Dial)
            .with_origin(origin.clone())
            .with_message("the connector resolves the names by itself"));
    };
    let route = config.proxies.route(origin, config.protocol);
    let hop = route.hop(origin);
    let found = resolve(&tcp.lookups, hop, config.timeouts.dns).await;
    let found = found.map_err(|error| error.with_phase(Phase::Dial).with_origin(origin.clone()))?;
    Ok(found.addresses.iter().map(SocketAddr::ip).collect())
}
