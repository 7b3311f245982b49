use std::fmt;

use standpipe_core::{Error, Origin};

use super::check::{host_name, refused};

/// Which origins a setting is for: `api.example.com`, `*.example.com`, `https://api.example.com`,
/// `api.example.com:8443`, or both of the latter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPattern {
    https: Option<bool>,
    host: Host,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Exact(String),
    /// `.example.com`, for all names that end so.
    Under(String),
}

impl HostPattern {
    /// # Errors
    ///
    /// [`Config`](standpipe_core::ErrorKind::Config) for what means no host.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let (https, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Some(true), rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Some(false), rest),
            Some(_) => return Err(no_host(text)),
            None => (None, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (name, port) = match rest.rsplit_once(':') {
            // Within brackets a colon is part of an IPv6 address.
            Some((name, port)) if !port.ends_with(']') => {
                let port: u16 = port.parse().map_err(|_| no_host(text))?;
                (name, Some(port))
            }
            _ => (rest, None),
        };
        if port == Some(0) {
            return Err(no_host(text));
        }
        let host = match name.strip_prefix("*.") {
            Some(parent) => Host::Under(format!(".{}", host_name(parent)?)),
            None => Host::Exact(host_name(name)?),
        };
        // A scheme without a port means the port of that scheme, as in a URL.
        let port = port.or(https.map(|https| if https { 443 } else { 80 }));
        Ok(Self { https, host, port })
    }

    pub(crate) fn matches(&self, origin: &Origin) -> bool {
        let host = match &self.host {
            Host::Exact(name) => name == origin.host(),
            Host::Under(suffix) => origin.host().ends_with(suffix.as_str()),
        };
        host && self.https.is_none_or(|https| https == origin.is_https())
            && self.port.is_none_or(|port| port == origin.port())
    }

    /// Of two that match one origin, the one with the greater rank says more of it: a whole name
    /// before a part, the longer part, then a port, then a scheme.
    pub(crate) fn rank(&self) -> (bool, usize, bool, bool) {
        let (exact, length) = match &self.host {
            Host::Exact(name) => (true, name.len()),
            Host::Under(suffix) => (false, suffix.len()),
        };
        (exact, length, self.port.is_some(), self.https.is_some())
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(https) = self.https {
            f.write_str(if https { "https://" } else { "http://" })?;
        }
        match &self.host {
            Host::Exact(name) => f.write_str(name)?,
            Host::Under(suffix) => write!(f, "*{suffix}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

fn no_host(text: &str) -> Error {
    // What stands before an `@` may be a password.
    let shown = match text.contains('@') {
        true => "a name with userinfo".to_owned(),
        false => format!("{text:?}"),
    };
    let allowed = "a host name such as api.example.com or *.example.com, with or without \
                   http:// or https:// before it and a port behind it";
    refused("host", shown, allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        HostPattern::parse(text).unwrap()
    }

    fn origin(url: &str) -> Origin {
        Origin::parse(url).unwrap()
    }

    #[test]
    fn a_name_matches_any_scheme_and_port_unless_they_are_given() {
        let table = [
            ("a.test", "http://a.test/", true),
            ("A.Test.", "https://a.test:8443/", true),
            ("a.test", "http://b.a.test/", false),
            ("a.test:8443", "https://a.test:8443/", true),
            ("a.test:8443", "https://a.test/", false),
            ("https://a.test", "https://a.test/", true),
            ("https://a.test/", "https://a.test:8443/", false),
            ("https://a.test", "http://a.test/", false),
            ("http://a.test:8080", "http://a.test:8080/", true),
            ("*.a.test", "http://b.a.test/", true),
            ("*.a.test", "http://c.b.a.test:99/", true),
            ("*.a.test", "http://a.test/", false),
            ("*.a.test", "http://ba.test/", false),
            ("*.a.test:99", "http://b.a.test/", false),
            ("[::1]", "http://[::1]:8080/", true),
            ("[::1]:81", "http://[::1]:8080/", false),
            ("[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080/", true),
        ];
        for (text, url, matches) in table {
            assert_eq!(pattern(text).matches(&origin(url)), matches, "{text} {url}");
        }
    }

    #[test]
    fn what_says_more_of_an_origin_has_the_greater_rank() {
        let rising = [
            "*.test",
            "*.a.test",
            "*.a.test:99",
            "http://*.a.test:99",
            "b.a.test",
            "b.a.test:99",
            "http://b.a.test:99",
        ];
        for pair in rising.windows(2) {
            assert!(
                pattern(pair[0]).rank() < pattern(pair[1]).rank(),
                "{pair:?}"
            );
        }
    }

    #[test]
    fn what_means_no_host_is_refused_without_its_password() {
        for text in [
            "",
            "*",
            "*.",
            "ftp://a.test",
            "a.test/path",
            "a.test:0",
            "a.test:x",
            "a*b",
        ] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
        let refused = HostPattern::parse("https://user:secret@a.test").unwrap_err();
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
}
