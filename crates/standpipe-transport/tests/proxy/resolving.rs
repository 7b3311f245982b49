//! Who resolves the origin's name, over sockets: what is resolved here is an address of the kernel's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use standpipe_core::{ErrorKind, Origin};
use standpipe_test::Peer;
use standpipe_transport::{Name, Proxy, Resolver, Transport, TransportBuilder};
use tokio::net::TcpListener;

use crate::support::{failure_of, fetch, get, send};

const A: &str = "http://a.test/";

/// A resolver that gives every name one address, and counts how often it is asked.
fn resolver() -> (impl Resolver, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let resolver = tower::service_fn(move |_: Name| {
        count.fetch_add(1, Ordering::SeqCst);
        let address = SocketAddr::from(([192, 0, 2, 1], 0));
        async move { io::Result::Ok(std::iter::once(address)) }
    });
    (resolver, asked)
}

/// A transport through the proxy that `listener` plays.
fn through(listener: &TcpListener, scheme: &str) -> (TransportBuilder, Arc<AtomicUsize>) {
    let address = listener.local_addr().unwrap();
    let (resolver, asked) = resolver();
    let proxy = Proxy::all(&format!("{scheme}://{address}")).unwrap();
    (Transport::builder().resolver(resolver).proxy(proxy), asked)
}

#[tokio::test]
async fn socks5_is_asked_for_an_address_and_socks5h_for_the_name() {
    let address = b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50";
    let name = b"\x05\x01\x00\x03\x06a.test\x00\x50";
    for (scheme, wanted, lookups) in [("socks5", &address[..], 1), ("socks5h", &name[..], 0)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (transport, asked) = through(&listener, scheme);
        let transport = transport.build().unwrap();
        let sent = send(&transport, get(A));
        let mut peer = Peer::new(listener.accept().await.unwrap().0);
        assert_eq!(peer.read_exact_body(3).await.unwrap(), &[5, 1, 0][..]);
        peer.write([5, 0]).await.unwrap();
        assert_eq!(peer.read_exact_body(wanted.len()).await.unwrap(), wanted);
        peer.write([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        peer.read_head().await.unwrap();
        peer.respond("200 OK", "").await.unwrap();
        let response = sent.await.unwrap().unwrap();
        let info = response.body().connection_info().unwrap();
        assert_eq!(info.dns_time.is_some(), lookups > 0);
        assert_eq!(info.peer, listener.local_addr().ok());
        assert_eq!(asked.load(Ordering::SeqCst), lookups);
    }
}

/// DNS-08: what is known here of the origin's address is filtered, and the proxy's own is not.
#[tokio::test]
async fn behind_a_proxy_the_filter_sees_the_addresses_that_are_known_here() {
    for (scheme, url, refused) in [
        ("socks5", A, true),
        ("socks5", "http://192.0.2.1/", true),
        ("socks5h", "http://192.0.2.1/", true),
        ("http", "http://192.0.2.1/", true),
        ("http", "https://192.0.2.1/", true),
        ("socks5h", A, false),
        ("http", "https://a.test/", false),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (transport, _) = through(&listener, scheme);
        let nobody = |_: &Origin, _: &SocketAddr| false;
        let transport = transport.address_filter(nobody).build().unwrap();
        if refused {
            let error = fetch(&transport, get(url)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddressRefused, "{scheme} {url}");
        } else {
            let sent = send(&transport, get(url));
            drop(listener.accept().await.unwrap());
            assert_eq!(
                failure_of(sent).await.kind(),
                ErrorKind::Proxy,
                "{scheme} {url}"
            );
        }
    }
}
