//! URLs without the secrets in them.

use std::fmt;

use http::Uri;

const REDACTED: &str = "REDACTED";

/// The parameters of a query whose values are left out of `url.full`, unless the registry is told
/// otherwise.
///
/// The first four are OpenTelemetry's; the others are what APIs and signed URLs carry.
pub const SECRET_QUERY_KEYS: &[&str] = &[
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
    "X-Goog-Credential",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "access_key",
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "appid",
    "app_key",
    "assertion",
    "auth",
    "auth_token",
    "authorization",
    "bearer",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "credential",
    "credentials",
    "hmac",
    "id_token",
    "jwt",
    "key",
    "pass",
    "passwd",
    "password",
    "private_key",
    "pwd",
    "refresh_token",
    "secret",
    "secret_key",
    "session",
    "session_id",
    "sessionid",
    "subscription-key",
    "ticket",
    "token",
    "x-api-key",
];

/// The parameters in force.
#[derive(Clone, Debug)]
pub(crate) struct SecretKeys(Box<[Box<str>]>);

impl Default for SecretKeys {
    fn default() -> Self {
        Self::new(SECRET_QUERY_KEYS)
    }
}

impl SecretKeys {
    pub(crate) fn new<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self(keys.into_iter().map(|key| key.as_ref().into()).collect())
    }

    /// Whether `written` is one of them: without regard to case, though OpenTelemetry would have
    /// it, for a secret let through is worse than a word left out; and decoded.
    fn hold(&self, written: &str) -> bool {
        self.0.iter().any(|key| {
            let key = key.bytes().map(|byte| byte.to_ascii_lowercase());
            key.eq(decoded(written).map(|byte| byte.to_ascii_lowercase()))
        })
    }
}

/// `url.full`: the URI with userinfo and secret values replaced by `REDACTED`. It is written when
/// somebody asks for it.
pub(crate) struct Redacted<'a> {
    pub(crate) uri: &'a Uri,
    pub(crate) keys: &'a SecretKeys,
}

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = self.uri.scheme_str() {
            write!(f, "{scheme}://")?;
        }
        if let Some(authority) = self.uri.authority() {
            match authority.as_str().rsplit_once('@') {
                Some((_, host)) => write!(f, "{REDACTED}:{REDACTED}@{host}")?,
                None => f.write_str(authority.as_str())?,
            }
        }
        f.write_str(self.uri.path())?;
        let Some(query) = self.uri.query() else {
            return Ok(());
        };
        let mut between = '?';
        for parameter in query.split_inclusive(['&', ';']) {
            write!(f, "{between}")?;
            let (parameter, next) = match parameter.strip_suffix(['&', ';']) {
                Some(rest) => (rest, parameter.as_bytes()[rest.len()]),
                None => (parameter, b'&'),
            };
            between = char::from(next);
            match parameter.split_once('=') {
                Some((key, _)) if self.keys.hold(key) => write!(f, "{key}={REDACTED}")?,
                _ => f.write_str(parameter)?,
            }
        }
        if query.ends_with(['&', ';']) {
            write!(f, "{between}")?;
        }
        Ok(())
    }
}

/// The bytes that a query's text stands for (WHATWG URL, percent-decode).
fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let mut bytes = text.bytes();
    std::iter::from_fn(move || {
        let byte = bytes.next()?;
        if byte != b'%' {
            return Some(byte);
        }
        let mut ahead = bytes.clone();
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        match (digit(ahead.next()), digit(ahead.next())) {
            (Some(high), Some(low)) => {
                bytes = ahead;
                Some((high * 16 + low) as u8)
            }
            _ => Some(byte),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(url: &str) -> String {
        let uri = url.parse().unwrap();
        let keys = SecretKeys::default();
        Redacted {
            uri: &uri,
            keys: &keys,
        }
        .to_string()
    }

    /// SMG-06
    #[test]
    fn secrets_in_userinfo_and_query_are_replaced() {
        for (url, shown) in [
            ("https://a.b/c?d=e&f", "https://a.b/c?d=e&f"),
            ("https://u:p@a.b/", "https://REDACTED:REDACTED@a.b/"),
            ("https://u@a.b:1/?x", "https://REDACTED:REDACTED@a.b:1/?x"),
            ("http://a/?sig=s&b=1", "http://a/?sig=REDACTED&b=1"),
            ("http://a/?b=1;TOKEN=s;c", "http://a/?b=1;TOKEN=REDACTED;c"),
            ("http://a/?%73ig=s", "http://a/?%73ig=REDACTED"),
            (
                "http://a/?X%2DAmz-Signature=s==&&",
                "http://a/?X%2DAmz-Signature=REDACTED&&",
            ),
            ("http://a/?token", "http://a/?token"),
            ("http://a/?%zz=1&%=2", "http://a/?%zz=1&%=2"),
            ("http://a/?", "http://a/"),
            ("/p?key=s", "/p?key=REDACTED"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }

    #[test]
    fn every_key_of_the_list_is_found_in_any_case() {
        for key in SECRET_QUERY_KEYS {
            for key in [key.to_lowercase(), key.to_uppercase()] {
                let shown = redacted(&format!("http://a/?x=1&{key}=hunter2&y=2"));
                assert!(!shown.contains("hunter2"), "{shown}");
            }
        }
    }
}
