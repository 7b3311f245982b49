//! A request in the form that its connection wants, and back again.

use http::header::{CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use http_body::Body as HttpBody;
use standpipe_core::{Body, Origin};

use crate::proxy::ProxyServer;

/// What [`prepare`] changed in a request that would be wrong on a connection of another kind, for
/// [`restore`] to undo. The form of its URI is not: each can be made from any other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    version: Version,
    added_host: bool,
    added_coding: bool,
    added_authorization: bool,
}

/// Makes of a request what HTTP/1.1 (origin form and `Host`, RFC 9112, 3.2; absolute form for a proxy that
/// forwards it, 3.2.2) or HTTP/2 (absolute form, from which the pseudo-headers are made) wants. What
/// authorizes us to a proxy goes to that proxy and to nobody else.
pub(super) fn prepare<B>(
    request: &mut Request<B>,
    body: &Body,
    origin: &Origin,
    forward: Option<&ProxyServer>,
    shared: bool,
) -> Taken {
    let mut taken = Taken {
        version: request.version(),
        added_host: false,
        added_coding: false,
        added_authorization: false,
    };
    match forward {
        None if request.headers().is_empty() => {}
        None => {
            request.headers_mut().remove(PROXY_AUTHORIZATION);
        }
        Some(proxy) => taken.added_authorization = authorize(request.headers_mut(), proxy),
    }
    if shared {
        *request.version_mut() = Version::HTTP_2;
        let uri = request.uri_mut();
        if uri.authority().is_none() || uri.path().is_empty() {
            *uri = absolute(std::mem::take(uri), origin);
        }
        return taken;
    }
    if request.version() != Version::HTTP_10 {
        *request.version_mut() = Version::HTTP_11;
    }
    if request.headers().is_empty() || !request.headers().contains_key(HOST) {
        let host = origin.host_header().clone();
        request.headers_mut().insert(HOST, host);
        taken.added_host = true;
    }
    if *request.method() == Method::CONNECT {
        *request.uri_mut() = authority_form(origin);
    } else if forward.is_some() {
        // The proxy goes where this says, so it is this origin, however the URL was written.
        *request.uri_mut() = absolute(path_alone(request.uri()), origin);
    } else if request.uri().authority().is_some() {
        *request.uri_mut() = path_alone(request.uri());
    }
    if leaves_out(request.method(), body) && !is_framed(request.headers()) {
        let chunked = HeaderValue::from_static("chunked");
        request.headers_mut().insert(TRANSFER_ENCODING, chunked);
        taken.added_coding = true;
    }
    taken
}

/// A URI without scheme and authority.
fn path_alone(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned();
    path.map_or_else(Uri::default, Uri::from)
}

/// A URI with all its parts, of a request for `origin` that may have been given without some.
fn absolute(uri: Uri, origin: &Origin) -> Uri {
    let mut uri = uri.into_parts();
    if uri.authority.is_none() || uri.scheme.is_none() {
        let full = origin.to_uri().into_parts();
        uri.scheme = full.scheme;
        uri.authority = uri.authority.or(full.authority);
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

/// The request such that [`prepare`] makes the right one of it for any connection.
pub(super) fn restore<B>(request: &mut Request<B>, taken: Taken) {
    *request.version_mut() = taken.version;
    let headers = request.headers_mut();
    if taken.added_host {
        headers.remove(HOST);
    }
    if taken.added_coding {
        headers.remove(TRANSFER_ENCODING);
    }
    if taken.added_authorization {
        headers.remove(PROXY_AUTHORIZATION);
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

    fn request(uri: &str) -> Request<()> {
        Request::get(uri).body(()).unwrap()
    }

    fn origin() -> Origin {
        Origin::parse("http://example.com:8080").unwrap()
    }

    fn prepared<B>(request: &mut Request<B>, shared: bool) -> Taken {
        prepare(request, &Body::empty(), &origin(), None, shared)
    }

    #[test]
    fn http1_gets_the_origin_form_and_a_host_header() {
        for (given, sent) in [
            ("http://EXAMPLE.com:8080/a?b", "/a?b"),
            ("http://example.com:8080", "/"),
            ("http://example.com:8080?b", "/?b"),
            ("/a?b", "/a?b"),
        ] {
            let mut request = request(given);
            prepared(&mut request, false);
            assert_eq!(request.uri().to_string(), sent);
            assert_eq!(request.headers()[HOST], "example.com:8080");
        }
    }

    /// RTR-07
    #[test]
    fn a_host_header_of_the_callers_own_stays() {
        let mut mine = request("http://example.com:8080/");
        mine.headers_mut().insert(HOST, "other".parse().unwrap());
        prepared(&mut mine, false);
        assert_eq!(mine.headers()[HOST], "other");
    }

    /// STALE-09: whatever connection it came back from, it goes out as if it never had.
    #[test]
    fn what_comes_back_unsent_goes_out_as_the_request_it_was() {
        for (method, uri) in [
            (Method::GET, "http://EXAMPLE.com:8080/a?b"),
            (Method::GET, "/only/a/path"),
            (Method::GET, "http://example.com:8080"),
            (Method::OPTIONS, "*"),
            (Method::CONNECT, "example.com:8080"),
        ] {
            for (first, second) in [(false, false), (false, true), (true, false), (true, true)] {
                let make = || {
                    let mut request = request(uri);
                    *request.method_mut() = method.clone();
                    request.extensions_mut().insert(7u32);
                    request
                };
                let mut again = make();
                let taken = prepared(&mut again, first);
                restore(&mut again, taken);
                assert!(again.headers().is_empty());
                assert_eq!(again.version(), Version::HTTP_11);
                prepared(&mut again, second);
                let mut once = make();
                prepared(&mut once, second);
                assert_eq!(again.uri(), once.uri(), "{uri}: {first}, {second}");
                assert_eq!(again.headers(), once.headers());
                assert_eq!(again.version(), once.version());
                assert_eq!(again.extensions().get::<u32>(), Some(&7));
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
            let mut request = request(uri);
            for _ in 0..2 {
                let taken = prepare(&mut request, &Body::empty(), &origin(), Some(&proxy), false);
                assert_eq!(*request.uri(), "http://example.com:8080/a?b");
                assert_eq!(request.headers()[HOST], "example.com:8080");
                let authorization = request.headers().get(PROXY_AUTHORIZATION);
                assert_eq!(authorization, proxy.authorization());
                restore(&mut request, taken);
                assert!(request.headers().is_empty());
            }
        }
    }
}
