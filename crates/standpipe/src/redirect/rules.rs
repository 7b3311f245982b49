use http::header::{AUTHORIZATION, COOKIE, HOST, PROXY_AUTHORIZATION, REFERER, WWW_AUTHENTICATE};
use http::uri::Scheme;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri};
use standpipe_core::Deadline;

use super::pattern::HeaderPattern;

/// `Host` is no secret, but names the server that the request no longer goes to.
const BOUND_TO_ORIGIN: [HeaderName; 7] = [
    AUTHORIZATION,
    COOKIE,
    HeaderName::from_static("cookie2"),
    PROXY_AUTHORIZATION,
    WWW_AUTHENTICATE,
    HOST,
    REFERER,
];

/// Moves what is let through from one request's extensions to another's.
type Keep = fn(&mut Extensions, &mut Extensions);

/// What holds for all redirects of a layer.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) limit: u32,
    pub(super) downgrade: bool,
    pub(super) secrets: Vec<HeaderPattern>,
    kept: Vec<Keep>,
}

impl Rules {
    pub(super) fn new(limit: u32) -> Self {
        let mut rules = Self {
            limit,
            downgrade: false,
            secrets: Vec::new(),
            kept: Vec::new(),
        };
        // It rides there where the request's body is not ours.
        rules.keep::<Deadline>();
        rules
    }

    pub(super) fn keep<T: Clone + Send + Sync + 'static>(&mut self) {
        self.kept.push(|from, to| {
            if let Some(value) = from.remove::<T>() {
                to.insert(value);
            }
        });
    }

    /// Takes away the headers that do not go to another origin.
    pub(super) fn strip(&self, headers: &mut HeaderMap) {
        for name in &BOUND_TO_ORIGIN {
            headers.remove(name);
        }
        let secret = |name: &&HeaderName| {
            let mut values = headers.get_all(*name).iter();
            values.any(HeaderValue::is_sensitive)
                || self.secrets.iter().any(|pattern| pattern.matches(name))
        };
        let secrets: Vec<_> = headers.keys().filter(secret).cloned().collect();
        for name in secrets {
            headers.remove(name);
        }
    }

    /// Those of `extensions` that go to another origin.
    pub(super) fn let_through(&self, mut extensions: Extensions) -> Extensions {
        let mut through = Extensions::new();
        for keep in &self.kept {
            keep(&mut extensions, &mut through);
        }
        through
    }
}

/// Takes a `Referer` away that a hop within one origin may not have either: one from https, on the way
/// to http, or one with userinfo.
pub(super) fn strip_referer(headers: &mut HeaderMap, to: &Uri) {
    let Some(referer) = headers.get(REFERER) else {
        return;
    };
    let shown = referer.to_str().ok().and_then(|text| {
        let uri: Uri = text.parse().ok()?;
        let downgrade = uri.scheme() == Some(&Scheme::HTTPS) && to.scheme() != Some(&Scheme::HTTPS);
        let userinfo = uri.authority().is_some_and(|it| it.as_str().contains('@'));
        (!downgrade && !userinfo).then_some(())
    });
    if shown.is_none() {
        headers.remove(REFERER);
    }
}
