use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use super::{Log, Running, dial, splice};
use crate::Peer;
use crate::memory::Network;

/// An HTTP proxy on an address of a [`Network`].
///
/// It tunnels by `CONNECT` to whoever listens on the network, or answers `502 Bad Gateway` where
/// nobody does. It does not forward a request in absolute form but answers it itself, with its
/// target as the body: `forwarded http://example.com/path`.
///
/// Dropped, it closes its connections.
#[derive(Debug)]
pub struct HttpProxy {
    heads: Log,
    _running: Running,
}

impl HttpProxy {
    /// Starts one on `address`, such as `proxy.test:3128`. It runs on the current runtime.
    ///
    /// # Panics
    ///
    /// Where the address is none, or listened on already.
    pub fn start(network: &Network, address: &str) -> Self {
        let heads = Log::default();
        let (log, net) = (heads.clone(), network.clone());
        let serve = move |stream| serve(stream, net.clone(), log.clone());
        Self {
            heads,
            _running: Running::start(network.listen(address), serve),
        }
    }

    /// As [`start`](HttpProxy::start), reached by TLS.
    ///
    /// # Panics
    ///
    /// As [`start`](HttpProxy::start).
    pub fn start_tls(network: &Network, address: &str, tls: Arc<ServerConfig>) -> Self {
        let heads = Log::default();
        let (log, net) = (heads.clone(), network.clone());
        let acceptor = TlsAcceptor::from(tls);
        let serve = move |stream| {
            let (net, log, acceptor) = (net.clone(), log.clone(), acceptor.clone());
            async move { serve(acceptor.accept(stream).await?, net, log).await }
        };
        Self {
            heads,
            _running: Running::start(network.listen(address), serve),
        }
    }

    /// The request heads that the proxy itself was sent, in order.
    pub fn heads(&self) -> Vec<String> {
        self.heads.entries()
    }
}

async fn serve<S>(stream: S, network: Network, log: Log) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut peer = Peer::new(stream);
    loop {
        let head = peer.read_head().await?;
        log.add(head.clone());
        let target = head.split(' ').nth(1).unwrap_or_default();
        if !head.starts_with("CONNECT ") {
            let body = format!("forwarded {target}");
            peer.respond("200 OK", body).await?;
            continue;
        }
        let Ok(there) = dial(&network, target).await else {
            return peer.respond("502 Bad Gateway", "").await;
        };
        peer.write("HTTP/1.1 200 Connection established\r\n\r\n")
            .await?;
        return splice(peer.into_inner(), there).await;
    }
}
