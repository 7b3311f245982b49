use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};

use crate::{Error, ErrorKind, Phase};

/// A scheme, a host and a port: what a connection, a limit and a circuit belong to (RFC 6454).
///
/// Two spellings of one origin are equal: the host is compared without regard to case, the
/// default port may be left out, an IPv6 address may be written in any of its forms and one
/// trailing dot is dropped. Userinfo is refused, so an origin never holds a secret.
///
/// # Clone
///
/// Cheap: an origin is one reference-counted pointer.
///
/// ```
/// use standpipe_core::Origin;
///
/// let a = Origin::parse("HTTPS://API.Example.com:443").unwrap();
/// let b = Origin::parse("https://api.example.com/v1/messages?beta").unwrap();
/// assert_eq!(a, b);
/// assert_eq!(a.to_string(), "https://api.example.com");
/// ```
#[derive(Clone)]
pub struct Origin(Arc<Inner>);

struct Inner {
    https: bool,
    port: u16,
    /// The whole origin as text; `host_start..host_end` is the host, in brackets for IPv6.
    text: Box<str>,
    host_end: usize,
    host_header: HeaderValue,
    hash: u64,
}

impl Origin {
    /// The origin of a URL given as text.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) when it is no URL, has no host, has userinfo or
    /// a port out of range; [`UnsupportedScheme`](ErrorKind::UnsupportedScheme) when the scheme is
    /// neither `http` nor `https`.
    pub fn parse(url: &str) -> Result<Self, Error> {
        Self::of_uri(&parse_uri(url)?)
    }

    /// The origin of an absolute URI.
    ///
    /// # Errors
    ///
    /// As [`parse`](Origin::parse).
    pub fn of_uri(uri: &Uri) -> Result<Self, Error> {
        let Some(authority) = uri.authority() else {
            return Err(invalid("the URL has no host"));
        };
        let Some(scheme) = uri.scheme() else {
            return Err(invalid("the URL has no scheme"));
        };
        let https = is_https(scheme)?;
        let host = canonical_host(authority)?;
        let port = port_of(authority)?;
        Ok(Self::build(https, &host, port))
    }

    fn build(https: bool, host: &str, port: Option<u16>) -> Self {
        let default = if https { 443 } else { 80 };
        let port = port.unwrap_or(default);
        let scheme = if https { "https://" } else { "http://" };
        let mut text = format!("{scheme}{host}");
        let host_end = text.len();
        if port != default {
            text.push_str(&format!(":{port}"));
        }
        let host_header = HeaderValue::from_str(&text[scheme.len()..])
            .expect("a canonical authority is a header value");
        let hash = foldhash::quality::FixedState::with_seed(0x5747_a9d1);
        let hash = std::hash::BuildHasher::hash_one(&hash, text.as_bytes());
        Self(Arc::new(Inner {
            https,
            port,
            text: text.into_boxed_str(),
            host_end,
            host_header,
            hash,
        }))
    }

    /// Whether requests to it go through TLS.
    pub fn is_https(&self) -> bool {
        self.0.https
    }

    /// `"http"` or `"https"`.
    pub fn scheme(&self) -> &'static str {
        if self.0.https { "https" } else { "http" }
    }

    /// The host in lower case; an IPv6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.0.text[self.scheme().len() + 3..self.0.host_end]
    }

    /// The host without the brackets of an IPv6 address: what a certificate or a resolver knows.
    pub fn host_unbracketed(&self) -> &str {
        self.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, the scheme's default where the URL named none.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// The whole origin as text, such as `https://api.example.com:8443`.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The value that a request's `Host` header has (RFC 9110, 7.2). A clone of it allocates
    /// nothing.
    pub fn host_header(&self) -> &HeaderValue {
        &self.0.host_header
    }

    /// The origin as a URI with the path `/`.
    pub fn to_uri(&self) -> Uri {
        Uri::builder()
            .scheme(self.scheme())
            .authority(&self.as_str()[self.scheme().len() + 3..])
            .path_and_query("/")
            .build()
            .expect("an origin is a URI")
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.hash == other.0.hash && self.0.text == other.0.text)
    }
}

impl Eq for Origin {}

impl PartialOrd for Origin {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Origin {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.text.cmp(&other.0.text)
    }
}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({})", self.0.text)
    }
}

impl std::str::FromStr for Origin {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        Self::parse(url)
    }
}

/// Parses an absolute URL, saying what is wrong with it without repeating it: it may hold a secret.
///
/// # Errors
///
/// [`InvalidRequest`](ErrorKind::InvalidRequest) with the reason.
pub fn parse_uri(url: &str) -> Result<Uri, Error> {
    if !url.is_ascii() {
        return Err(invalid(
            "the URL has characters outside ASCII; write the host in punycode and percent-encode the rest",
        ));
    }
    // The URI type has no place for a fragment; it is never sent (RFC 9110, 4.2.5).
    let url = url.split('#').next().unwrap_or_default();
    url.parse()
        .map_err(|error: http::uri::InvalidUri| invalid("the URL is malformed").with_source(error))
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidRequest)
        .with_phase(Phase::Check)
        .with_message(message)
}

fn is_https(scheme: &Scheme) -> Result<bool, Error> {
    if *scheme == Scheme::HTTPS {
        Ok(true)
    } else if *scheme == Scheme::HTTP {
        Ok(false)
    } else {
        Err(Error::new(ErrorKind::UnsupportedScheme)
            .with_phase(Phase::Check)
            .with_message("only http and https are spoken"))
    }
}

fn port_of(authority: &Authority) -> Result<Option<u16>, Error> {
    let text = authority.as_str();
    let after_host = &text[text.find(authority.host()).unwrap_or(0) + authority.host().len()..];
    match after_host.strip_prefix(':') {
        None | Some("") => Ok(None),
        Some(digits) => match digits.parse::<u16>() {
            Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(port)),
            _ => Err(invalid("the port is not in 1..=65535")),
        },
    }
}

fn canonical_host(authority: &Authority) -> Result<String, Error> {
    if authority.as_str().contains('@') {
        return Err(invalid(
            "the URL has userinfo; send credentials in a header instead",
        ));
    }
    let host = authority.host();
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner
            .strip_suffix(']')
            .ok_or_else(|| invalid("the host is no IPv6 address"))?;
        let address: Ipv6Addr = inner
            .parse()
            .map_err(|_| invalid("the host is no IPv6 address"))?;
        return Ok(format!("[{address}]"));
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if host.is_empty() || host.starts_with('.') || host.len() > 253 || !host.bytes().all(allowed) {
        return Err(invalid("the URL has no usable host"));
    }
    // `1` and `0x7f.1` mean addresses to some resolvers and names to others: left as they are,
    // since the resolver alone decides, but the one form that everyone reads alike is canonical.
    Ok(match host.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => host.to_ascii_lowercase(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn origin(url: &str) -> Origin {
        Origin::parse(url).unwrap_or_else(|error| panic!("{url}: {error:?}"))
    }

    fn refused(url: &str) -> ErrorKind {
        Origin::parse(url).expect_err(url).kind()
    }

    /// PAN-04: connections, hosts and figures are kept by origin, which runs no code of a user's.
    #[test]
    fn an_origin_is_hashed_compared_and_dropped_without_a_panic_whatever_it_was_made_of() {
        let mut known = HashSet::new();
        let odd = [
            "a", "A.", "[::1]", "xn--a", "a_b", "127.1", "-", "a..b", "%", "[", "::", "\u{e9}",
        ];
        for host in odd {
            for port in ["", ":", ":0", ":1", ":65535", ":65536", ":x"] {
                if let Ok(origin) = Origin::parse(&format!("https://{host}{port}/")) {
                    assert!(known.contains(&origin) != known.insert(origin.clone()));
                    assert_eq!(origin, Origin::parse(origin.as_str()).unwrap());
                }
            }
        }
        assert!(known.len() > 10, "{known:?}");
    }

    /// RTR-01
    #[test]
    fn spellings_of_one_origin_are_one_key_and_ports_and_schemes_tell_apart() {
        let plain = origin("http://example.com/");
        for same in [
            "HTTP://Example.COM:80/",
            "http://example.com:80/path?q#f",
            "http://EXAMPLE.com",
            "http://example.com:",
        ] {
            assert_eq!(origin(same), plain, "{same}");
        }
        for other in [
            "https://example.com/",
            "http://example.com:8080/",
            "http://example.org/",
        ] {
            assert_ne!(origin(other), plain, "{other}");
        }
        let set: HashSet<_> = [plain, origin("http://EXAMPLE.com:80")].into();
        assert_eq!(set.len(), 1);
    }

    /// RTR-02
    #[test]
    fn userinfo_is_refused_and_its_text_is_in_no_message() {
        let error = Origin::parse("http://user:hunter2@example.com/").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    /// RTR-03
    #[test]
    fn forms_of_one_ipv6_address_are_one_key_and_bad_brackets_are_refused() {
        let short = origin("http://[::1]:8080/");
        assert_eq!(origin("http://[0:0:0:0:0:0:0:1]:8080/"), short);
        assert_eq!(short.host(), "[::1]");
        assert_eq!(short.host_unbracketed(), "::1");
        assert_eq!(short.port(), 8080);
        for bad in ["http://[::1", "http://[nonsense]/", "http://[::1%eth0]/"] {
            assert_eq!(refused(bad), ErrorKind::InvalidRequest, "{bad}");
        }
    }

    /// RTR-04: one trailing dot is folded, for the key as for `Host` and SNI.
    #[test]
    fn one_trailing_dot_is_dropped() {
        assert_eq!(
            origin("https://example.com./"),
            origin("https://example.com/")
        );
        assert_eq!(origin("https://example.com./").host(), "example.com");
    }

    /// RTR-11
    #[test]
    fn what_is_no_origin_is_refused_before_any_lookup() {
        for bad in [
            "http:///path",
            "http://",
            "/path",
            "example.com",
            "http://example.com:0/",
            "http://example.com:65536/",
            "http://example.com:port/",
            "http://exa mple.com/",
            "http://exa\0mple.com/",
            "http://exa\nmple.com/",
            "http://./",
            "http://..a/",
            "",
        ] {
            assert_eq!(refused(bad), ErrorKind::InvalidRequest, "{bad:?}");
        }
        assert_eq!(refused("ftp://example.com/"), ErrorKind::UnsupportedScheme);
    }

    #[test]
    fn the_parts_read_back() {
        let o = origin("https://API.example.com:8443/x");
        assert_eq!(
            (o.scheme(), o.host(), o.port()),
            ("https", "api.example.com", 8443)
        );
        assert_eq!(o.host_header(), "api.example.com:8443");
        assert_eq!(o.to_uri().to_string(), "https://api.example.com:8443/");
        assert_eq!(origin("https://a.b:443").host_header(), "a.b");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,80}") {
            let _ = Origin::parse(&text);
        }

        #[test]
        fn a_parsed_origin_parses_to_itself(host in "[a-zA-Z0-9]{1,12}(\\.[a-z0-9]{1,8}){0,3}", port in 1u16..) {
            let first = origin(&format!("http://{host}:{port}/a"));
            proptest::prop_assert_eq!(origin(first.as_str()), first);
        }
    }
}
