use std::net::SocketAddr;
use std::sync::Arc;

use standpipe_core::sync::Mutex;
use standpipe_core::{ErrorKind, Origin, Phase, RequestSent};
use standpipe_test::memory::Network;

use crate::support::{A, fetch, get, head_of, over, stats};
use crate::{resolving_to, serve, untimed};

/// DNS-08
#[tokio::test(start_paused = true)]
async fn the_filter_sees_what_the_name_resolved_to() {
    let address = serve("127.0.0.1:0").await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let transport = untimed().resolver(resolving_to(&[address]));
    let refuse = move |origin: &Origin, address: &SocketAddr| {
        log.lock().push((origin.to_string(), *address));
        false
    };
    let transport = transport.address_filter(refuse).build().unwrap();
    let error = fetch(&transport, get(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddressRefused);
    assert_eq!(error.phase(), Some(Phase::Dial));
    assert_eq!(error.request_sent(), RequestSent::No);
    assert!(error.kind().is_local());
    assert_eq!(*seen.lock(), [("http://a.test".to_owned(), address)]);
    assert_eq!(stats(&transport).created, 0);
}

/// DNS-08
#[tokio::test(start_paused = true)]
async fn an_address_in_the_url_is_filtered_in_all_its_spellings() {
    let address = serve("127.0.0.1:0").await;
    let port = address.port();
    let loopback = |_: &Origin, address: &SocketAddr| !address.ip().to_canonical().is_loopback();
    let transport = untimed().address_filter(loopback).build().unwrap();
    for host in [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
        "127.1",
        "0x7f000001",
    ] {
        let error = fetch(&transport, get(&format!("http://{host}:{port}/"))).await;
        let kind = error.unwrap_err().kind();
        assert_eq!(kind, ErrorKind::AddressRefused, "{host}");
    }
}

/// DNS-08
#[tokio::test(start_paused = true)]
async fn the_addresses_that_are_left_are_tried() {
    let refused = serve("127.0.0.1:0").await;
    let allowed = serve("127.0.0.1:0").await;
    let transport = untimed().resolver(resolving_to(&[refused, allowed]));
    let transport = transport.address_filter(move |_, address| *address == allowed);
    let transport = transport.build().unwrap();
    let response = head_of(&transport, get(A)).await.unwrap();
    assert_eq!(
        response.body().connection_info().unwrap().peer,
        Some(allowed)
    );
}

/// DNS-08, PAN-01
#[tokio::test(start_paused = true)]
async fn a_filter_that_panics_fails_its_own_request_alone() {
    let address = serve("127.0.0.1:0").await;
    let transport = untimed().resolver(resolving_to(&[address]));
    let filter = |origin: &Origin, _: &SocketAddr| {
        assert_ne!(origin.host(), "bad.test", "on purpose");
        true
    };
    let transport = transport.address_filter(filter).build().unwrap();
    let error = fetch(&transport, get("http://bad.test/"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddressRefused);
    assert!(error.to_string().contains("the address filter panicked"));
    fetch(&transport, get(A)).await.unwrap();
    assert_eq!(stats(&transport).dialing, 0);
}

/// Who sets a filter relies on it, so what would make it void is refused.
#[test]
fn what_a_connector_would_make_void_is_refused_with_it() {
    let network = Network::new();
    let filtered = over(&network).address_filter(|_, _| true).build();
    let resolved = over(&network).resolver(resolving_to(&[])).build();
    let retiring = over(&network).retire_on_dns_change(true).build();
    for (built, field) in [
        (filtered, "address_filter"),
        (resolved, "resolver"),
        (retiring, "retire_on_dns_change"),
    ] {
        let error = built.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(field), "{error}");
    }
}
