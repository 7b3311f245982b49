use std::cmp::Reverse;

use cookie_store::{Cookie, CookieDomain, CookieError, CookieStore};
use http::HeaderValue;
use publicsuffix::List;
use url::Url;

/// A cookie's name, value and attributes together, in bytes (RFC 6265, 6.1, asks for as many).
const MAX_LENGTH: usize = 4096;
/// Cookies of one domain.
const MAX_PER_DOMAIN: usize = 180;
/// Cookies in all (RFC 6265, 6.1, asks for as many).
const MAX_COOKIES: usize = 3000;

/// What a jar holds: `cookie_store`'s rules, and those that it has not.
#[derive(Default)]
pub(super) struct Shelf {
    pub(super) store: CookieStore,
    /// The store has them too, but does not give them back.
    suffixes: Option<List>,
}

impl Shelf {
    pub(super) fn with_suffixes(list: List) -> Self {
        Self {
            store: CookieStore::default().with_suffix_list(list.clone()),
            suffixes: Some(list),
        }
    }

    /// Takes all of `store` in place of what is there.
    pub(super) fn replace(&mut self, store: CookieStore) {
        self.store = match &self.suffixes {
            Some(list) => store.with_suffix_list(list.clone()),
            None => store,
        };
    }

    /// Keeps the cookie of a `Set-Cookie` that came from `url`.
    pub(super) fn put(&mut self, text: &str, url: &Url) -> Result<(), Refused> {
        if text.len() > MAX_LENGTH {
            return Err(Refused("it is longer than 4096 bytes"));
        }
        if text
            .bytes()
            .any(|byte| byte.is_ascii_control() && byte != b'\t')
        {
            return Err(Refused("it has control characters"));
        }
        let cookie = Cookie::parse(text.to_owned(), url)
            .map_err(|_| Refused("it is malformed, or for another host"))?;
        check(&cookie, url)?;
        if !cookie.is_expired() && !self.has(&cookie) {
            self.make_room(&cookie)?;
        }
        match self.store.insert(cookie, url) {
            // Or one that is to be forgotten and is not known.
            Ok(_) | Err(CookieError::Expired) => Ok(()),
            Err(_) => Err(Refused("it is for another host, or for a public suffix")),
        }
    }

    /// The `Cookie` of a request for `url`, those of longer paths first (RFC 6265, 5.4).
    pub(super) fn header(&self, url: &Url) -> Option<HeaderValue> {
        let mut cookies = self.store.matches(url);
        cookies.sort_by_key(|cookie| (Reverse(cookie.path.len()), cookie.name()));
        let pairs: Vec<_> = cookies
            .iter()
            .map(|cookie| cookie.stripped().to_string())
            // A jar that was loaded may hold anything.
            .filter(|pair| HeaderValue::from_str(pair).is_ok())
            .collect();
        let mut value = HeaderValue::try_from(pairs.join("; ")).ok()?;
        value.set_sensitive(true);
        (!pairs.is_empty()).then_some(value)
    }

    fn drop_expired(&mut self) {
        let expired: Vec<_> = self.store.iter_any().filter(|it| it.is_expired()).collect();
        let keys: Vec<_> = expired.into_iter().filter_map(key).collect();
        for (domain, path, name) in keys {
            self.store.remove(&domain, &path, &name);
        }
    }

    fn has(&self, cookie: &Cookie<'_>) -> bool {
        key(cookie).is_some_and(|(domain, path, name)| self.store.contains(&domain, &path, &name))
    }

    /// Room for one more, where there is none by leaving out what has expired.
    fn make_room(&mut self, cookie: &Cookie<'_>) -> Result<(), Refused> {
        let full = match self.room(cookie) {
            Ok(()) => return Ok(()),
            Err(full) => full,
        };
        self.drop_expired();
        self.room(cookie).map_err(|_| full)
    }

    fn room(&self, cookie: &Cookie<'_>) -> Result<(), Refused> {
        let (mut all, mut of_domain) = (0, 0);
        for kept in self.store.iter_any() {
            all += 1;
            of_domain += usize::from(kept.domain == cookie.domain);
        }
        if all >= MAX_COOKIES {
            return Err(Refused("3000 are kept already"));
        }
        if of_domain >= MAX_PER_DOMAIN {
            return Err(Refused("180 of its domain are kept already"));
        }
        Ok(())
    }
}

/// Why a cookie is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) &'static str);

fn check(cookie: &Cookie<'_>, url: &Url) -> Result<(), Refused> {
    let secure = cookie.secure().unwrap_or(false);
    // What http brings may come from anyone on the way (RFC 6265bis, 5.7).
    if secure && url.scheme() != "https" {
        return Err(Refused("it is secure, and came by http"));
    }
    let name = cookie.name().to_ascii_lowercase();
    let bound = matches!(cookie.domain, CookieDomain::HostOnly(_)) && *cookie.path == *"/";
    let promised = match () {
        () if name.starts_with("__host-") => secure && bound,
        () if name.starts_with("__secure-") => secure,
        () => true,
    };
    if !promised {
        return Err(Refused("it is not what its prefix promises"));
    }
    // Without a list of public suffixes these at least are known to be one.
    match &cookie.domain {
        CookieDomain::Suffix(domain)
            if !domain.contains('.') && url.host_str() != Some(domain.as_str()) =>
        {
            Err(Refused("it is for a top-level domain"))
        }
        _ => Ok(()),
    }
}

/// Under which the store has it.
fn key(cookie: &Cookie<'_>) -> Option<(String, String, String)> {
    let domain = cookie.domain.as_cow()?.into_owned();
    Some((domain, String::from(&cookie.path), cookie.name().to_owned()))
}
