use std::future::pending;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::script::Script;
use super::{ConnectionFault, End, Fault, http1, http2, tls};
use crate::serving::{ConnectionCounts, CountedIo, Spawner, Wire};

/// One connection from its acceptance to its end.
pub(super) struct Connection {
    pub(super) script: Arc<Script>,
    /// Its number in the script.
    pub(super) number: usize,
    pub(super) counts: ConnectionCounts,
    pub(super) spawner: Spawner,
}

impl Connection {
    pub(super) fn fault(&self) -> Option<&ConnectionFault> {
        self.script.connection(self.number)
    }

    /// After how many answers it falls silent.
    pub(super) fn silent_after(&self) -> Option<usize> {
        match self.fault() {
            Some(ConnectionFault::FallSilent { after }) => Some(*after),
            _ => None,
        }
    }

    /// Counts a request, and says what goes wrong with it.
    pub(super) fn next_request(&self) -> Option<&Fault> {
        self.script.request(self.number, self.counts.request())
    }

    pub(super) async fn serve(self, mut io: CountedIo) {
        match self.fault() {
            Some(ConnectionFault::AtOnce(End::Stall)) => hold(io).await,
            Some(ConnectionFault::AtOnce(end)) => break_off(io, *end).await,
            Some(ConnectionFault::Garbage(bytes)) => {
                // How a connection ends is for the client's side of the test to judge, here and below.
                let _ = io.write_all(bytes).await;
                stall(io).await;
            }
            _ => match self.script.tls.clone() {
                Some(config) => tls::serve(self, config, io).await,
                None => self.serve_http(io, false).await,
            },
        }
    }

    pub(super) async fn serve_http(self, io: impl Wire, h2_agreed: bool) {
        if self.script.protocol.is_http2(h2_agreed) {
            http2::serve(self, io).await;
        } else {
            let of_http2 = self.fault().is_some_and(ConnectionFault::is_of_http2);
            assert!(
                !of_http2,
                "a fault of HTTP/2 is scripted for connection {}, which speaks HTTP/1.1",
                self.number
            );
            http1::serve(&self, io).await;
        }
    }
}

/// Ends a connection.
pub(super) async fn break_off(mut io: impl Wire, end: End) {
    match end {
        End::Reset => io.reset().await,
        End::Close => {
            let _ = io.shutdown().await;
        }
        End::Stall => stall(io).await,
    }
}

/// Says nothing more, until the client has closed.
pub(super) async fn stall(mut io: impl Wire) {
    let mut lost = [0; 1024];
    while io.read(&mut lost).await.is_ok_and(|n| n > 0) {}
}

/// Neither says nor hears anything, until the server is dropped.
pub(super) async fn hold(io: impl Wire) {
    let _io = io;
    pending().await
}
