use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use rustls::ServerConfig;

use super::plan::Plan;
use super::{ConnectionFault, Fault, Reply};
use crate::server::Protocol;
use crate::serving::RequestNumber;

/// What a server does, by the numbers of connections and requests. Of the rules that fit, the first
/// to be written counts.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) protocol: Protocol,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) max_concurrent_streams: Option<u32>,
    pub(super) reply: Reply,
    connections: Vec<(Range, ConnectionFault)>,
    requests: Vec<Rule>,
}

type Range = (Bound<usize>, Bound<usize>);

#[derive(Clone, Debug)]
struct Rule {
    /// The connection that it is of, where it is of one alone.
    connection: Option<usize>,
    range: Range,
    fault: Fault,
}

impl Script {
    pub(super) fn new() -> Self {
        Self {
            protocol: Protocol::Auto,
            tls: None,
            max_concurrent_streams: None,
            reply: Reply::default(),
            connections: Vec::new(),
            requests: Vec::new(),
        }
    }

    #[track_caller]
    pub(super) fn add_connections(
        &mut self,
        range: impl RangeBounds<usize>,
        fault: ConnectionFault,
    ) {
        if let Some(why) = fault.flaw() {
            panic!("{why}");
        }
        self.connections.push((owned(range), fault));
    }

    #[track_caller]
    pub(super) fn add_requests(
        &mut self,
        connection: Option<usize>,
        range: impl RangeBounds<usize>,
        fault: Fault,
    ) {
        if let Some(why) = fault.flaw() {
            panic!("{why}");
        }
        self.requests.push(Rule {
            connection,
            range: owned(range),
            fault,
        });
    }

    pub(super) fn connection(&self, number: usize) -> Option<&ConnectionFault> {
        let fits = |(range, _): &&(Range, ConnectionFault)| range.contains(&number);
        self.connections.iter().find(fits).map(|(_, fault)| fault)
    }

    pub(super) fn refuses(&self, number: usize) -> bool {
        matches!(self.connection(number), Some(ConnectionFault::Refuse))
    }

    /// What goes wrong with a request on the connection of that number.
    pub(super) fn request(&self, connection: usize, number: RequestNumber) -> Option<&Fault> {
        let fits = |rule: &&Rule| match rule.connection {
            Some(only) => only == connection && rule.range.contains(&number.of_connection),
            None => rule.range.contains(&number.of_server),
        };
        self.requests.iter().find(fits).map(|rule| &rule.fault)
    }

    pub(super) fn plan(&self, fault: Option<&Fault>) -> Plan {
        Plan::new(fault, &self.reply)
    }

    /// What is never said by the protocols that this server can speak.
    ///
    /// # Panics
    ///
    /// When something is scripted that cannot happen.
    #[track_caller]
    pub(super) fn check(&self, on_socket: bool) {
        let faults = || self.connections.iter().map(|(_, fault)| fault);
        let tls = self.tls.is_some();
        assert!(
            tls || !faults().any(ConnectionFault::is_of_tls),
            "a fault of TLS is scripted, and the server has none"
        );
        let never_http2 = match self.protocol {
            Protocol::Auto => !tls,
            Protocol::Http1 => true,
            Protocol::Http2 => false,
        };
        let of_http2 = faults().any(ConnectionFault::is_of_http2)
            || self.requests.iter().any(|rule| rule.fault.is_of_http2());
        assert!(
            !(never_http2 && of_http2),
            "a fault of HTTP/2 is scripted, and the server speaks HTTP/1.1"
        );
        let single = |(range, fault): &(Range, ConnectionFault)| {
            matches!(fault, ConnectionFault::Refuse) && range.1 != Bound::Unbounded
        };
        assert!(
            !(on_socket && self.connections.iter().any(single)),
            "a socket refuses all dials from a number on, as connections(2.., ConnectionFault::Refuse)"
        );
    }
}

fn owned(range: impl RangeBounds<usize>) -> Range {
    (range.start_bound().cloned(), range.end_bound().cloned())
}
