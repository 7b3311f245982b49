//! A request's head in the form that its connection wants, and back again.

use http::header::{CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use http_body::Body as HttpBody;
use standpipe_core::{Body, Origin};

use crate::proxy::ProxyServer;

/// What [`prepare`] changed in a head, for [`restore`] to put back.
#[derive(Debug)]
pub(super) struct Taken {
    /// As it was, where it is sent in another form.
    uri: Option<Uri>,
    version: Version,
    added_host: bool,
    added_coding: bool,
    added_authorization: bool,
}

/// The head as HTTP/1.1 (origin form and `Host`, RFC 9112, 3.2; absolute form for a proxy that forwards
/// it, 3.2.2) or HTTP/2 (absolute form, from which the pseudo-headers are made) wants it. What
/// authorizes us to a proxy goes to that proxy and to nobody else.
pub(super) fn prepare(
    head: &mut Parts,
    body: &Body,
    origin: &Origin,
    forward: Option<&ProxyServer>,
    shared: bool,
) -> Taken {
    let mut taken = Taken {
        uri: None,
        version: head.version,
        added_host: false,
        added_coding: false,
        added_authorization: false,
    };
    match forward {
        None if head.headers.is_empty() => {}
        None => {
            head.headers.remove(PROXY_AUTHORIZATION);
        }
        Some(proxy) => taken.added_authorization = authorize(&mut head.headers, proxy),
    }
    if shared {
        head.version = Version::HTTP_2;
        if head.uri.authority().is_none() || head.uri.path().is_empty() {
            taken.uri = Some(head.uri.clone());
            head.uri = absolute(std::mem::take(&mut head.uri), origin);
        }
        return taken;
    }
    if head.version != Version::HTTP_10 {
        head.version = Version::HTTP_11;
    }
    if head.headers.is_empty() || !head.headers.contains_key(HOST) {
        head.headers.insert(HOST, origin.host_header().clone());
        taken.added_host = true;
    }
    let uri = if head.method == Method::CONNECT {
        Some(authority_form(origin))
    } else if forward.is_some() {
        // The proxy goes where this says, so it is this origin, however the URL was written.
        let path = head.uri.path_and_query().cloned();
        Some(absolute(path.map_or_else(Uri::default, Uri::from), origin))
    } else if head.uri.authority().is_some() {
        let path = head.uri.path_and_query().cloned();
        Some(path.map_or_else(Uri::default, Uri::from))
    } else {
        None
    };
    taken.uri = uri.map(|uri| std::mem::replace(&mut head.uri, uri));
    if leaves_out(&head.method, body) && !is_framed(&head.headers) {
        let chunked = HeaderValue::from_static("chunked");
        head.headers.insert(TRANSFER_ENCODING, chunked);
        taken.added_coding = true;
    }
    taken
}

/// A URI with all its parts, of a request for `origin` that may have been given as a path alone.
fn absolute(uri: Uri, origin: &Origin) -> Uri {
    let mut uri = uri.into_parts();
    if uri.authority.is_none() {
        let full = origin.to_uri().into_parts();
        uri.scheme = full.scheme;
        uri.authority = full.authority;
    }
    uri.path_and_query.get_or_insert_with(root);
    // All three parts are a URI.
    Uri::from_parts(uri).unwrap_or_default()
}

/// The host and port alone (RFC 9112, 3.2.3).
fn authority_form(origin: &Origin) -> Uri {
    let text = format!("{}:{}", origin.host(), origin.port());
    text.parse().unwrap_or_default()
}

/// The head as it was before [`prepare`].
pub(super) fn restore(head: &mut Parts, taken: Taken) {
    head.version = taken.version;
    if taken.added_host {
        head.headers.remove(HOST);
    }
    if taken.added_coding {
        head.headers.remove(TRANSFER_ENCODING);
    }
    if taken.added_authorization {
        head.headers.remove(PROXY_AUTHORIZATION);
    }
    if let Some(uri) = taken.uri {
        head.uri = uri;
    }
}

/// Adds our credentials for `proxy` where the caller gave none; whether it did.
fn authorize(headers: &mut HeaderMap, proxy: &ProxyServer) -> bool {
    match proxy.authorization() {
        Some(value) if !headers.contains_key(PROXY_AUTHORIZATION) => {
            headers.insert(PROXY_AUTHORIZATION, value.clone());
            true
        }
        Some(_) | None => false,
    }
}

/// Whether hyper would take it that there is no body: it leaves streams of unknown length out of
/// methods that seldom have one.
fn leaves_out(method: &Method, body: &Body) -> bool {
    !body.is_buffered()
        && (*method == Method::GET || *method == Method::HEAD)
        && body.size_hint().exact().is_none()
}

fn is_framed(headers: &HeaderMap) -> bool {
    headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING)
}

fn root() -> PathAndQuery {
    PathAndQuery::from_static("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn head(uri: &str) -> Parts {
        Request::get(uri).body(()).unwrap().into_parts().0
    }

    fn origin() -> Origin {
        Origin::parse("http://example.com:8080").unwrap()
    }

    fn prepared(head: &mut Parts, shared: bool) -> Taken {
        prepare(head, &Body::empty(), &origin(), None, shared)
    }

    #[test]
    fn http1_gets_the_origin_form_and_a_host_header() {
        let mut sent = head("http://EXAMPLE.com:8080/a?b");
        prepared(&mut sent, false);
        assert_eq!(sent.uri, "/a?b");
        assert_eq!(sent.headers[HOST], "example.com:8080");
    }

    /// RTR-07
    #[test]
    fn a_host_header_of_the_callers_own_stays() {
        let mut mine = head("http://example.com:8080/");
        mine.headers.insert(HOST, "other".parse().unwrap());
        prepared(&mut mine, false);
        assert_eq!(mine.headers[HOST], "other");
    }

    /// STALE-09
    #[test]
    fn what_comes_back_unsent_is_the_request_as_it_was() {
        for uri in [
            "http://EXAMPLE.com:8080/a?b",
            "/only/a/path",
            "http://example.com:8080",
        ] {
            for shared in [false, true] {
                let mut head = head(uri);
                head.extensions.insert(7u32);
                let taken = prepared(&mut head, shared);
                restore(&mut head, taken);
                assert_eq!(head.uri, uri.parse::<Uri>().unwrap(), "{uri}");
                assert_eq!(head.version, Version::HTTP_11);
                assert_eq!(head.extensions.get::<u32>(), Some(&7));
                assert!(head.headers.is_empty());
            }
        }
    }

    /// PRX-03, STALE-09
    #[test]
    fn a_proxy_that_forwards_gets_the_absolute_form_and_its_credentials() {
        let proxy = ProxyServer::parse("http://me:secret@proxy.test").unwrap();
        for uri in [
            "http://EXAMPLE.com:8080/a?b",
            "http://else.where/a?b",
            "/a?b",
        ] {
            let mut head = head(uri);
            let taken = prepare(&mut head, &Body::empty(), &origin(), Some(&proxy), false);
            assert_eq!(head.uri, "http://example.com:8080/a?b");
            assert_eq!(head.headers[HOST], "example.com:8080");
            let authorization = head.headers.get(PROXY_AUTHORIZATION);
            assert_eq!(authorization, proxy.authorization());
            restore(&mut head, taken);
            assert!(head.headers.is_empty());
            assert_eq!(head.uri, uri.parse::<Uri>().unwrap());
        }
    }
}
