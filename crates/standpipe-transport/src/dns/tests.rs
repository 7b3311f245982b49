use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, RwLock};

use standpipe_core::{Body, Error, ErrorKind, Origin, Phase};
use tower::{Service, service_fn};

use super::{Name, addresses_of};
use crate::pool::OriginPool;
use crate::proxy::Proxy;
use crate::service::Transport;
use crate::{Resolver, TransportBuilder};

/// Resolves `a.test` to two addresses, the proxy to one, and no other name.
fn resolver() -> impl Resolver {
    service_fn(|name: Name| async move {
        let addresses: &[[u8; 4]] = match name.as_str() {
            "a.test" => &[[192, 0, 2, 1], [192, 0, 2, 2]],
            "proxy.test" => &[[192, 0, 2, 9]],
            _ => return Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        let with_port = |ip: &[u8; 4]| SocketAddr::from((*ip, 0));
        Ok(addresses
            .iter()
            .map(with_port)
            .collect::<Vec<_>>()
            .into_iter())
    })
}

async fn found(builder: TransportBuilder, origin: &str) -> Result<Vec<IpAddr>, Error> {
    let (_, config, _) = builder.into_parts();
    addresses_of(&config, &Origin::parse(origin).unwrap()).await
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// DNS-06
#[tokio::test(start_paused = true)]
async fn a_refresh_gives_the_addresses_that_a_dial_would_try() {
    let base = || Transport::builder().no_proxy().resolver(resolver());
    let two = found(base(), "https://a.test:8443").await.unwrap();
    assert_eq!(two, ips(&["192.0.2.1", "192.0.2.2"]));
    let literal = found(base(), "http://[2001:db8::1]").await.unwrap();
    assert_eq!(literal, ips(&["2001:db8::1"]));
    let proxied = base().proxy(Proxy::all("http://proxy.test").unwrap());
    assert_eq!(
        found(proxied, "http://b.test").await.unwrap(),
        ips(&["192.0.2.9"])
    );
    let error = found(base(), "http://b.test").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DnsNotFound);
    assert_eq!(error.phase(), Some(Phase::Dial));
    assert_eq!(error.origin().unwrap().host(), "b.test");
}

#[tokio::test(start_paused = true)]
async fn where_the_connector_resolves_names_there_is_nothing_to_refresh() {
    let network = standpipe_test::memory::Network::new();
    let builder = Transport::builder().connector(network.connector());
    let error = found(builder, "http://a.test").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

/// What the hook below was told; the hook is a plain function.
static TOLD: RwLock<Vec<(String, Vec<IpAddr>)>> = RwLock::new(Vec::new());

fn tell(pool: &Arc<OriginPool>, addresses: &[IpAddr]) {
    let origin = pool.key.origin().to_string();
    TOLD.write().unwrap().push((origin, addresses.to_vec()));
}

/// DNS-06
#[tokio::test(start_paused = true)]
async fn each_lookup_of_a_dial_is_told_before_anything_is_connected() {
    // The addresses cannot be connected from here, so the dial goes no further.
    let builder = Transport::builder().no_proxy().resolver(resolver());
    let local = builder.local_address(Some("2001:db8::7".parse().unwrap()));
    let (limits, mut config, events) = local.into_parts();
    config.on_addresses = Some(tell);
    let mut transport = Transport::new(&limits, Arc::new(config), events);
    for url in ["http://a.test/", "http://192.0.2.77/", "http://b.test/"] {
        let request = http::Request::get(url).body(Body::empty()).unwrap();
        transport.call(request).await.unwrap_err();
    }
    let expected = ips(&["192.0.2.1", "192.0.2.2"]);
    assert_eq!(
        *TOLD.read().unwrap(),
        [("http://a.test".to_owned(), expected)]
    );
}
