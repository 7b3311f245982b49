use std::error::Error as StdError;
use std::fmt;

use http::Uri;
use standpipe_core::{Error, ErrorKind, Origin, Phase, RequestSent};

/// The most of a path that is shown.
const SHOWN: usize = 200;

/// The URLs that a request was led through, the first one with it: the source of an error about a
/// redirect.
///
/// They are without userinfo and query, and cut where they are long.
///
/// ```
/// use standpipe::{Error, RedirectChain};
/// use std::error::Error as _;
///
/// fn chain(error: &Error) -> Option<&RedirectChain> {
///     error.source()?.downcast_ref()
/// }
/// # let error = Error::new(standpipe::ErrorKind::Redirect);
/// # assert!(chain(&error).is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectChain {
    urls: Vec<String>,
}

impl RedirectChain {
    pub(super) fn new<'a>(urls: impl Iterator<Item = &'a Uri>) -> Self {
        Self {
            urls: urls.map(shown).collect(),
        }
    }

    /// The URLs in their order; the last one was not asked.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// The error that ends it.
    pub(super) fn into_error(self, kind: ErrorKind, asked: &Uri) -> Error {
        let error = Error::new(kind)
            .with_phase(Phase::Exchange)
            .with_request_sent(RequestSent::Yes)
            .with_source(self);
        match Origin::of_uri(asked) {
            Ok(origin) => error.with_origin(origin),
            Err(_) => error,
        }
    }
}

impl fmt::Display for RedirectChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redirected by {}", self.urls.join(" to "))
    }
}

impl StdError for RedirectChain {}

fn shown(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit('@').next().unwrap_or_default();
    let scheme = uri.scheme_str().unwrap_or_default();
    let path = uri.path();
    match path.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{scheme}://{host}{}...", &path[..end]),
        None => format!("{scheme}://{host}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_secrets_and_cut() {
        let long = format!("https://a.example/{}?q", "x".repeat(1000));
        let uris: Vec<Uri> = ["http://u:hunter2@a.example:81/p?token=hunter2", &long]
            .map(|url| url.parse().unwrap())
            .into();
        let chain = RedirectChain::new(uris.iter());
        assert_eq!(chain.urls()[0], "http://a.example:81/p");
        assert_eq!(chain.urls()[1].len(), "https://a.example".len() + SHOWN + 3);
        assert!(!chain.to_string().contains("hunter2"));
    }
}
