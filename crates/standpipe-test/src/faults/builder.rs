use std::ops::RangeBounds;
use std::sync::Arc;

use rustls::ServerConfig;

use super::script::Script;
use super::{ConnectionFault, Fault, FaultServer, Reply};
use crate::memory::Listener;
use crate::server::Protocol;
use crate::serving::Source;

/// How a [`FaultServer`] will be, and what it will do wrong; see [`FaultServer::builder`].
///
/// All numbers count from 0. Where more than one line of the script fits, the first to be written
/// counts: `.request(3, a).requests(.., b)` is `a` for the fourth request and `b` for all others.
#[derive(Clone, Debug)]
#[must_use = "a server serves when it is started"]
pub struct FaultServerBuilder {
    script: Script,
}

impl FaultServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            script: Script::new(),
        }
    }

    /// Speaks HTTP/2 where TLS has agreed on it by ALPN, and HTTP/1.1 otherwise. This is the
    /// default.
    pub fn auto(mut self) -> Self {
        self.script.protocol = Protocol::Auto;
        self
    }

    /// Speaks HTTP/1.1, whatever ALPN says.
    pub fn http1(mut self) -> Self {
        self.script.protocol = Protocol::Http1;
        self
    }

    /// Speaks HTTP/2, whatever ALPN says; without TLS, by prior knowledge.
    pub fn http2(mut self) -> Self {
        self.script.protocol = Protocol::Http2;
        self
    }

    /// Serves over TLS; a [`Ca`](crate::Ca) makes the configuration.
    pub fn tls(mut self, config: Arc<ServerConfig>) -> Self {
        self.script.tls = Some(config);
        self
    }

    /// How many streams of HTTP/2 may be open at once on a connection; unless set, as many as come.
    /// Those above are refused by REFUSED_STREAM, and not counted as requests.
    pub fn max_concurrent_streams(mut self, n: u32) -> Self {
        self.script.max_concurrent_streams = Some(n);
        self
    }

    /// The answer to all requests, but where the script has another; unless set, an empty 200.
    pub fn reply(mut self, reply: Reply) -> Self {
        self.script.reply = reply;
        self
    }

    /// What goes wrong with the connection of that number. In memory refused dials are counted too.
    ///
    /// # Panics
    ///
    /// When the fault is none, as an HTTP/2 window that is too large.
    #[track_caller]
    pub fn connection(self, number: usize, fault: ConnectionFault) -> Self {
        self.connections(number..=number, fault)
    }

    /// What goes wrong with connections, as `2..4`, `2..` or `..`, for all.
    ///
    /// # Panics
    ///
    /// As [`connection`](Self::connection).
    #[track_caller]
    pub fn connections(mut self, numbers: impl RangeBounds<usize>, fault: ConnectionFault) -> Self {
        self.script.add_connections(numbers, fault);
        self
    }

    /// What goes wrong with the request of that number, whatever connection it comes by. A
    /// [`Reply`] is a fault too: an answer of its own.
    ///
    /// # Panics
    ///
    /// When the fault is none, as an informational answer of status 200.
    #[track_caller]
    pub fn request(self, number: usize, fault: impl Into<Fault>) -> Self {
        self.requests(number..=number, fault)
    }

    /// What goes wrong with requests, as `2..4`, `2..` or `..`, for all.
    ///
    /// # Panics
    ///
    /// As [`request`](Self::request).
    #[track_caller]
    pub fn requests(mut self, numbers: impl RangeBounds<usize>, fault: impl Into<Fault>) -> Self {
        self.script.add_requests(None, numbers, fault.into());
        self
    }

    /// What goes wrong with the request of that number on the connection of that number.
    ///
    /// # Panics
    ///
    /// As [`request`](Self::request).
    #[track_caller]
    pub fn request_on(self, connection: usize, number: usize, fault: impl Into<Fault>) -> Self {
        self.requests_on(connection, number..=number, fault)
    }

    /// What goes wrong with requests on the connection of that number.
    ///
    /// # Panics
    ///
    /// As [`request`](Self::request).
    #[track_caller]
    pub fn requests_on(
        mut self,
        connection: usize,
        numbers: impl RangeBounds<usize>,
        fault: impl Into<Fault>,
    ) -> Self {
        let fault = fault.into();
        self.script.add_requests(Some(connection), numbers, fault);
        self
    }

    /// Starts on a free port of the loopback address.
    ///
    /// # Panics
    ///
    /// When no port can be had, outside a tokio runtime with IO enabled, or when something is scripted
    /// that cannot happen: a fault of TLS or of HTTP/2 on a server that has none, or single dials that
    /// are refused.
    pub async fn start(self) -> FaultServer {
        self.script.check(true);
        FaultServer::start(self.script, Source::loopback().await)
    }

    /// Starts on an address of an in-memory network.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, or when something is scripted that cannot happen: a fault of TLS or of
    /// HTTP/2 on a server that has none.
    #[track_caller]
    pub fn start_on(self, listener: Listener) -> FaultServer {
        self.script.check(false);
        FaultServer::start(self.script, Source::Memory(listener))
    }
}
