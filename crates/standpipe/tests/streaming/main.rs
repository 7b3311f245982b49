//! Bodies that stream: down as chunks, lines and events, and up from streams, readers and files; by a
//! clock that is paused.

mod events;
mod lines;
mod times;
mod uploads;

#[path = "../support/mod.rs"]
mod support;

use standpipe::{Pool, PoolBuilder, Response};
use standpipe_test::Peer;
use standpipe_test::memory::{Listener, MemoryStream, Network};
use support::{URL, peer, pool_and_listener, settle};

/// One response that streams, its server played by hand.
struct Streaming {
    network: Network,
    _listener: Listener,
    pool: Pool,
    peer: Peer<MemoryStream>,
}

impl Streaming {
    /// The head has come, and says `headers`; the body is chunked.
    async fn begin(
        headers: &str,
        configure: impl FnOnce(PoolBuilder) -> PoolBuilder,
    ) -> (Self, Response) {
        let (network, listener, pool) = pool_and_listener(configure);
        let sending = tokio::spawn(pool.get(URL).send_streaming());
        let mut peer = peer(&listener).await;
        peer.read_head().await.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\n{headers}transfer-encoding: chunked\r\n\r\n");
        peer.write(head).await.unwrap();
        let response = sending.await.unwrap().unwrap();
        let streaming = Self {
            network,
            _listener: listener,
            pool,
            peer,
        };
        (streaming, response)
    }

    async fn chunk(&mut self, data: impl AsRef<[u8]>) {
        let data = data.as_ref();
        let head = format!("{:x}\r\n", data.len());
        let chunk = [head.as_bytes(), data, b"\r\n"].concat();
        self.peer.write(chunk).await.unwrap();
    }

    async fn end(&mut self) {
        self.peer.write("0\r\n\r\n").await.unwrap();
        settle().await;
    }

    /// The client has closed, and no place is taken any more.
    async fn closed(&mut self) {
        self.peer.closed().await;
        settle().await;
        let stats = self.pool.stats().total;
        assert_eq!((stats.active, stats.idle), (0, 0), "{stats:?}");
        assert_eq!(self.network.open_connections(), 0);
    }

    /// The connection idles, and can be used again.
    fn kept(&self) {
        let stats = self.pool.stats().total;
        assert_eq!((stats.active, stats.idle), (0, 1), "{stats:?}");
    }
}
