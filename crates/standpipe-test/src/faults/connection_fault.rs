use std::sync::Arc;

use bytes::Bytes;
use rustls::ServerConfig;

/// How a connection is broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By a reset.
    Reset,
    /// In good order.
    Close,
    /// Not at all: nothing more comes, and the connection stays open until the client closes it.
    Stall,
}

/// What goes wrong with a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectionFault {
    /// The dial is refused. A socket can refuse but all dials from a number on: it is closed then, and
    /// whoever has dialled and was not yet accepted is reset.
    Refuse,
    /// The connection is accepted and broken off at once, before a byte is read. A stalled one is never
    /// read, and stays open until the server is dropped.
    AtOnce(End),
    /// These bytes come in place of any protocol; then nothing more, until the client closes.
    Garbage(Bytes),
    /// The connection is served, and falls silent after so many answers: nothing is read any more, and
    /// nothing sent, a PING's answer neither. It stays open until the server is dropped.
    FallSilent {
        /// How many requests are answered.
        after: usize,
    },

    /// TLS: the handshake is broken off when the server has sent so many bytes of it; with 0, when
    /// the client has begun. Where its part of it is shorter, at its end.
    Handshake {
        /// Bytes sent.
        after: usize,
        /// How.
        end: End,
    },
    /// TLS: the handshake is done with another configuration, and so with another certificate: that of
    /// [another name](crate::Ca::server_config), an [expired one](crate::Ca::issue_expired), or
    /// [another authority's](crate::Ca::new).
    Certificate(Arc<ServerConfig>),
    /// TLS: the client's first bytes are answered by a 400 of plain HTTP/1.1, and the connection is closed.
    PlainHttp,

    /// HTTP/2: a GOAWAY comes before the first stream, and none is answered.
    GoAway {
        /// Of [`code`](crate::h2peer::code).
        code: u32,
    },
    /// HTTP/2: so many streams may be open at once on this connection, in place of the server's
    /// [limit](super::FaultServerBuilder::max_concurrent_streams).
    StreamLimit(u32),
    /// HTTP/2: WINDOW_UPDATE is never sent, of a stream or of the connection.
    WithholdWindow {
        /// The window that each stream begins with, up to 2^31-1 bytes. The connection's is 65,535, as the
        /// protocol has it.
        initial: u32,
    },
}

impl ConnectionFault {
    pub(super) fn is_of_tls(&self) -> bool {
        matches!(
            self,
            Self::Handshake { .. } | Self::Certificate(_) | Self::PlainHttp
        )
    }

    /// Whether HTTP/2 alone has it.
    pub(super) fn is_of_http2(&self) -> bool {
        matches!(
            self,
            Self::GoAway { .. } | Self::StreamLimit(_) | Self::WithholdWindow { .. }
        )
    }

    /// Why it can't be, if so.
    pub(super) fn flaw(&self) -> Option<&'static str> {
        match self {
            Self::WithholdWindow { initial } if *initial > i32::MAX as u32 => {
                Some("a window has 2^31-1 bytes at most")
            }
            _ => None,
        }
    }
}
