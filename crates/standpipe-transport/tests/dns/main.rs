//! Resolving names, trying addresses, and refusing some.

mod addresses;
mod filter;
mod lookups;
#[path = "../support/mod.rs"]
mod support;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use standpipe_transport::{Name, PhaseTimeouts, Resolver, Transport, TransportBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Without a clock, so that none rings while the kernel is waited for in paused time.
fn untimed() -> TransportBuilder {
    let mut none = PhaseTimeouts::default();
    none.dns = None;
    none.connect = None;
    none.tls = None;
    none.response_head = None;
    Transport::builder()
        .timeouts(none)
        .idle_timeout(None)
        .no_proxy()
}

/// A resolver that gives every name the same answer, and counts how often it is asked.
fn answering(
    answer: impl Fn() -> io::Result<Vec<SocketAddr>> + Clone + Send + Sync + 'static,
) -> (impl Resolver, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let resolver = tower::service_fn(move |_: Name| {
        count.fetch_add(1, Ordering::SeqCst);
        let answer = answer().map(Vec::into_iter);
        async move { answer }
    });
    (resolver, asked)
}

fn resolving_to(addresses: &[SocketAddr]) -> impl Resolver + use<> {
    let addresses = addresses.to_vec();
    answering(move || Ok(addresses.clone())).0
}

/// A server on loopback that answers each connection's first request with an empty 200.
async fn serve(address: &str) -> SocketAddr {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buf = [0; 4096];
                while stream.read(&mut buf).await.is_ok_and(|n| n > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    stream.write_all(answer).await.unwrap();
                }
            });
        }
    });
    address
}

/// An address where nobody listens.
async fn refusing(address: &str) -> SocketAddr {
    let listener = TcpListener::bind(address).await.unwrap();
    listener.local_addr().unwrap()
}

/// An address where connecting takes for ever: its queue is full. It is so while the guard lives.
async fn black_hole(address: &str) -> (SocketAddr, impl Send) {
    let socket = match address.parse::<SocketAddr>().unwrap() {
        SocketAddr::V4(_) => TcpSocket::new_v4().unwrap(),
        SocketAddr::V6(_) => TcpSocket::new_v6().unwrap(),
    };
    socket.bind(address.parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        tasks.spawn(TcpStream::connect(address));
    }
    support::settle().await;
    (address, (listener, tasks))
}
