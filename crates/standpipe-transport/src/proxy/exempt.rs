//! Which hosts go without a proxy: the syntax of `NO_PROXY`.

use std::net::IpAddr;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use standpipe_core::Origin;

/// The hosts that a proxy is not used for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exempt {
    everything: bool,
    /// What names this machine itself.
    loopback: bool,
    lists: Vec<List>,
}

/// A list of hosts, for one port or for all.
#[derive(Clone, Debug)]
struct List {
    port: Option<u16>,
    hosts: Arc<Matcher>,
}

impl Exempt {
    /// The hosts of a list separated by commas. hyper-util's matcher decides on them; what it does
    /// not know is made into what it does: `*` for addresses too, `*.suffix`, addresses in
    /// brackets, and entries for one port.
    pub(crate) fn parse(list: &str) -> Self {
        let mut exempt = Self::default();
        let mut any_port = Vec::new();
        for entry in list.split(',').map(str::trim) {
            let (host, port) = split_port(entry);
            let host = if host.starts_with("*.") {
                &host[1..]
            } else {
                host
            };
            match port {
                _ if host.is_empty() => {}
                None if host == "*" => exempt.everything = true,
                None => any_port.push(host),
                Some(port) => exempt.lists.push(List::new(Some(port), host)),
            }
        }
        if !any_port.is_empty() {
            exempt.lists.push(List::new(None, &any_port.join(",")));
        }
        exempt
    }

    /// The same, with this machine itself, as Go has it: its own services are not reached through
    /// a proxy that the environment names.
    pub(crate) fn and_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    pub(crate) fn contains(&self, origin: &Origin) -> bool {
        self.everything
            || (self.loopback && is_loopback(origin.host_unbracketed()))
            || self.lists.iter().any(|list| list.contains(origin))
    }
}

impl List {
    fn new(port: Option<u16>, hosts: &str) -> Self {
        // The matcher has no other way to ask it for its list: a host that is not sent to this
        // proxy is on it.
        let hosts = Matcher::builder().all("http://proxy").no(hosts).build();
        Self {
            port,
            hosts: Arc::new(hosts),
        }
    }

    fn contains(&self, origin: &Origin) -> bool {
        self.port.is_none_or(|port| port == origin.port())
            && self.hosts.intercept(&origin.to_uri()).is_none()
    }
}

/// An entry as host and port; an address without brackets has no port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if entry.parse::<IpAddr>().is_ok() {
        return (entry, None);
    }
    match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (unbracketed(host), Some(port)),
            Err(_) => (unbracketed(entry), None),
        },
        _ => (unbracketed(entry), None),
    }
}

fn unbracketed(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(host)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
