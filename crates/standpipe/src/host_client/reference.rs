//! References resolved against a base URL (RFC 3986, 5.2).
//!
//! `url`'s join, which is at hand, holds to the WHATWG's rules: it reads `\` as `/` and `%2e` as a
//! dot, and so sends other paths than were written.

use http::Uri;
use standpipe_core::{Error, parse_uri};

/// The URL that `reference` means, seen from `base`.
///
/// # Errors
///
/// [`InvalidRequest`](standpipe_core::ErrorKind::InvalidRequest) where that is no URL.
pub(super) fn resolve(base: &Uri, reference: &str) -> Result<Uri, Error> {
    // A fragment is never sent.
    let reference = reference.split('#').next().unwrap_or_default();
    if has_scheme(reference) {
        return parse_uri(reference);
    }
    let scheme = base.scheme_str().unwrap_or_default();
    if reference.starts_with("//") {
        return parse_uri(&format!("{scheme}:{reference}"));
    }
    let authority = base.authority().map_or("", |authority| authority.as_str());
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let (path, query) = match path {
        "" => (base.path().to_owned(), query.or(base.query())),
        path if path.starts_with('/') => (without_dots(path), query),
        path => (without_dots(&merged(base.path(), path)), query),
    };
    let query = query.map_or(String::new(), |query| format!("?{query}"));
    parse_uri(&format!("{scheme}://{authority}{path}{query}"))
}

/// RFC 3986, 3.1: what stands before the first colon, unless a slash or a question mark comes first.
fn has_scheme(reference: &str) -> bool {
    let Some((scheme, _)) = reference.split_once(':') else {
        return false;
    };
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(rest)
}

/// RFC 3986, 5.2.3.
fn merged(base: &str, path: &str) -> String {
    let directory = base.rfind('/').map_or("/", |slash| &base[..=slash]);
    format!("{directory}{path}")
}

/// RFC 3986, 5.2.4, for a path that begins with a slash.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => {
                kept.push(segment);
                continue;
            }
        }
        // A path that ends in dots ends in a directory.
        if last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3986, 5.4.1 and 5.4.2, but for those with a fragment or a foreign scheme.
    #[test]
    fn references_resolve_as_in_the_examples_of_the_rfc() {
        let base = Uri::from_static("http://a/b/c/d;p?q");
        let table = [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            (";x", "http://a/b/c/;x"),
            ("g;x", "http://a/b/c/g;x"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("https://other/x", "https://other/x"),
            ("%2e%2e/g", "http://a/b/c/%2e%2e/g"),
            ("a:1/x?y:z", "a:1/x?y:z"),
            ("x/a:1", "http://a/b/c/x/a:1"),
        ];
        for (reference, url) in table {
            let resolved = resolve(&base, reference);
            if reference.starts_with("a:") {
                assert!(resolved.is_err(), "{reference} has a scheme of its own");
                continue;
            }
            let expected: Uri = url.parse().unwrap();
            assert_eq!(resolved.unwrap(), expected, "{reference:?}");
        }
    }

    #[test]
    fn the_last_segment_of_a_base_counts_when_it_is_a_directory() {
        let table = [
            ("https://api.test/v1/", "https://api.test/v1/messages"),
            ("https://api.test/v1", "https://api.test/messages"),
            ("https://api.test", "https://api.test/messages"),
        ];
        for (base, url) in table {
            let resolved = resolve(&base.parse().unwrap(), "messages").unwrap();
            assert_eq!(resolved, url);
        }
    }
}
