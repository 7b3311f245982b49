//! One proxy: where it is, what it speaks, and who we are to it.

use std::fmt;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use standpipe_core::{Error, ErrorKind, Origin, Phase};

/// A proxy and our credentials for it. Two are equal only if both are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ProxyServer {
    speaks: Speaks,
    /// Where it is; of a SOCKS proxy the scheme does not count.
    hop: Origin,
    credentials: Option<Credentials>,
}

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http,
    /// HTTP over TLS.
    Https,
    /// SOCKS 5, with names resolved on this side.
    Socks5,
    /// SOCKS 5, with names resolved by the proxy.
    Socks5h,
}

#[derive(Clone, PartialEq, Eq)]
enum Credentials {
    /// The value of `Proxy-Authorization`.
    Basic(HeaderValue),
    /// User and password.
    Plain(String, String),
}

impl ProxyServer {
    /// A proxy given as a URL: `http`, `https`, `socks5` or `socks5h`, `http` where it has no
    /// scheme, with any credentials as its userinfo.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let url = url.trim();
        let parsed = parse(url).ok_or_else(|| {
            refused("it is no URL, or its scheme is none of http, https, socks5 and socks5h")
        })?;
        let uri = parsed.uri();
        let (speaks, default_port) = match uri.scheme_str() {
            Some("http") => (Speaks::Http, 80),
            Some("https") => (Speaks::Https, 443),
            Some("socks5") => (Speaks::Socks5, 1080),
            Some("socks5h") => (Speaks::Socks5h, 1080),
            _ => {
                return Err(refused(
                    "its scheme is none of http, https, socks5 and socks5h",
                ));
            }
        };
        let scheme = if speaks == Speaks::Https {
            "https"
        } else {
            "http"
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let has_port = uri.host().is_some_and(|host| host.len() < authority.len());
        let mut hop = format!("{scheme}://{authority}");
        if !has_port {
            hop.push_str(&format!(":{default_port}"));
        }
        let hop = Origin::parse(&hop);
        let server = Self {
            speaks,
            hop: hop.map_err(|error| refused("its host or port is unusable").with_source(error))?,
            credentials: None,
        };
        match (parsed.basic_auth(), parsed.raw_auth()) {
            (Some(basic), _) => Ok(server.with(Credentials::Basic(basic.clone()))),
            (_, Some((user, password))) => server.with_credentials(user, password),
            (None, None) => Ok(server),
        }
    }

    /// The same with these credentials: Basic (RFC 7617) for HTTP, user and password (RFC 1929)
    /// for SOCKS.
    pub(crate) fn with_credentials(self, user: &str, password: &str) -> Result<Self, Error> {
        if self.is_http() {
            let (user, password) = (percent_encoded(user), percent_encoded(password));
            let parsed = parse(&format!("http://{user}:{password}@proxy"));
            let basic = parsed.as_ref().and_then(Intercept::basic_auth).cloned();
            let basic = basic.ok_or_else(|| refused("its credentials are too long"))?;
            return Ok(self.with(Credentials::Basic(basic)));
        }
        let allowed = 1..=255;
        if !allowed.contains(&user.len()) || !allowed.contains(&password.len()) {
            return Err(refused(
                "SOCKS takes a user and a password of 1 to 255 bytes each",
            ));
        }
        Ok(self.with(Credentials::Plain(user.into(), password.into())))
    }

    fn with(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Where it is.
    pub(crate) fn hop(&self) -> &Origin {
        &self.hop
    }

    pub(crate) fn speaks(&self) -> Speaks {
        self.speaks
    }

    pub(crate) fn is_http(&self) -> bool {
        matches!(self.speaks, Speaks::Http | Speaks::Https)
    }

    /// The value of `Proxy-Authorization`; it is marked as sensitive.
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        match &self.credentials {
            Some(Credentials::Basic(value)) => Some(value),
            Some(Credentials::Plain(..)) | None => None,
        }
    }

    /// User and password, for SOCKS.
    pub(crate) fn user_and_password(&self) -> Option<(&str, &str)> {
        match &self.credentials {
            Some(Credentials::Plain(user, password)) => Some((user, password)),
            Some(Credentials::Basic(_)) | None => None,
        }
    }
}

impl fmt::Display for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.speaks {
            Speaks::Http => "http",
            Speaks::Https => "https",
            Speaks::Socks5 => "socks5",
            Speaks::Socks5h => "socks5h",
        };
        write!(f, "{scheme}://{}:{}", self.hop.host(), self.hop.port())
    }
}

/// Without the credentials.
impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyServer")
            .field("url", &format_args!("{self}"))
            .field("credentials", &self.credentials.is_some())
            .finish()
    }
}

fn parse(url: &str) -> Option<Intercept> {
    let matcher = Matcher::builder().all(url).build();
    matcher.intercept(&Uri::from_static("http://any"))
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// The error names no part of the URL, which may hold a secret.
fn refused(message: &str) -> Error {
    Error::new(ErrorKind::Config)
        .with_phase(Phase::Check)
        .with_message(format!("the proxy's URL was refused: {message}"))
}
