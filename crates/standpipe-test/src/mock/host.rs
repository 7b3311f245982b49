use std::fmt;

use http::header;
use standpipe_core::Origin;

use super::MockRequest;

/// For which hosts something is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostPattern {
    /// `*`
    Any,
    /// `api.example.com`, at any port.
    Host(String),
    /// `api.example.com:8080`
    HostAndPort(String, u16),
    /// `https://api.example.com`
    Origin(Origin),
}

impl HostPattern {
    /// # Panics
    ///
    /// When `text` is none of them.
    #[track_caller]
    pub(super) fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::Any;
        }
        let refuse = |why: &str| -> ! { panic!("`{text}` is no host of a mock: {why}") };
        let (url, has_scheme) = match text.contains("://") {
            true => (text.to_owned(), true),
            false => (format!("http://{text}"), false),
        };
        let authority = url.split_once("://").map_or("", |(_, rest)| rest);
        if authority.trim_end_matches('/').contains(['/', '?', '#']) {
            refuse("a path is given by `path`");
        }
        let origin = match Origin::parse(&url) {
            Ok(origin) => origin,
            Err(error) => refuse(&error.to_string()),
        };
        match (has_scheme, has_port(authority)) {
            (true, _) => Self::Origin(origin),
            (false, true) => Self::HostAndPort(origin.host().to_owned(), origin.port()),
            (false, false) => Self::Host(origin.host().to_owned()),
        }
    }

    /// Whether `request` is for such a host, or which one it is for.
    pub(super) fn check(&self, request: &MockRequest) -> Result<(), String> {
        let target = request.origin().or_else(|| of_host_header(request));
        let matches = match (self, &target) {
            (Self::Any, _) => true,
            (_, None) => return Err("it names no host".to_owned()),
            (Self::Host(host), Some(target)) => target.host() == host,
            (Self::HostAndPort(host, port), Some(target)) => {
                target.host() == host && target.port() == *port
            }
            (Self::Origin(origin), Some(target)) => target == origin,
        };
        match target {
            Some(target) if !matches => Err(format!("the host is {target}")),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any host"),
            Self::Host(host) => f.write_str(host),
            Self::HostAndPort(host, port) => write!(f, "{host}:{port}"),
            Self::Origin(origin) => write!(f, "{origin}"),
        }
    }
}

fn has_port(authority: &str) -> bool {
    let after_brackets = authority.rsplit(']').next().unwrap_or(authority);
    after_brackets.contains(':')
}

/// A client that has chosen its connection already may give the path alone, and the host in a header.
fn of_host_header(request: &MockRequest) -> Option<Origin> {
    let host = request.headers.get(header::HOST)?.to_str().ok()?;
    Origin::parse(&format!("http://{host}")).ok()
}
