//! A request in the form that its connection wants, and back again.

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Request, Uri, Version};
use http_body::Body as HttpBody;
use standpipe_core::{Body, Error, ErrorKind, Origin, Phase};

use super::SendBody;
use super::lease::Hold;
use crate::proxy::ProxyServer;

/// What [`prepare`] took from a request and [`restore`] gives back.
#[derive(Debug)]
pub(crate) struct Taken {
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    version: Version,
    added_host: bool,
    added_authorization: bool,
}

/// Checks what can be checked before a connection is asked for; returns the length that the head
/// declares for a body whose own length is unknown.
pub(crate) fn check(request: &Request<Body>) -> Result<Option<u64>, Error> {
    let headers = request.headers();
    if headers.is_empty() {
        return Ok(None);
    }
    let Some(declared) = declared_length(headers)? else {
        return Ok(None);
    };
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(invalid("both content-length and transfer-encoding are set"));
    }
    match request.body().size_hint().exact() {
        Some(actual) if actual == declared => Ok(None),
        Some(_) => Err(invalid("content-length is not the body's length")),
        None => Ok(Some(declared)),
    }
}

fn declared_length(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.any(|other| other != value) {
        return Err(invalid("there are several content-length headers"));
    }
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid("content-length is not a number"));
    }
    match text.parse() {
        Ok(length) => Ok(Some(length)),
        Err(_) => Err(invalid("content-length is not a number")),
    }
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidRequest)
        .with_phase(Phase::Check)
        .with_message(message)
}

/// The request as HTTP/1.1 (origin form and `Host`, RFC 9112, 3.2; absolute form for a proxy that
/// forwards it, 3.2.2) or HTTP/2 (absolute form, from which the pseudo-headers are made) wants it.
/// What authorizes us to a proxy goes to that proxy and to nobody else.
pub(crate) fn prepare(
    request: Request<Body>,
    origin: &Origin,
    forward: Option<&ProxyServer>,
    shared: bool,
    declared: Option<u64>,
    hold: Option<Arc<Hold>>,
) -> (Request<SendBody>, Taken) {
    let (mut head, body) = request.into_parts();
    let mut taken = Taken {
        scheme: None,
        authority: None,
        version: head.version,
        added_host: false,
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
            head.uri = absolute(head.uri, origin);
        }
    } else {
        if head.version != Version::HTTP_10 {
            head.version = Version::HTTP_11;
        }
        if head.headers.is_empty() || !head.headers.contains_key(HOST) {
            head.headers.insert(HOST, origin.host_header().clone());
            taken.added_host = true;
        }
        let uri = std::mem::take(&mut head.uri).into_parts();
        taken.scheme = uri.scheme;
        taken.authority = uri.authority;
        head.uri = uri.path_and_query.map_or_else(Uri::default, Uri::from);
        if forward.is_some() {
            // The proxy goes where this says, so it is this origin, however the URL was written.
            head.uri = absolute(std::mem::take(&mut head.uri), origin);
        }
    }
    let body = SendBody::new(body, declared, hold);
    (Request::from_parts(head, body), taken)
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

/// The request as it was before [`prepare`], and the declared length.
pub(crate) fn restore(request: Request<SendBody>, taken: Taken) -> (Request<Body>, Option<u64>) {
    let (mut head, body) = request.into_parts();
    head.version = taken.version;
    if taken.added_host {
        head.headers.remove(HOST);
    }
    if taken.added_authorization {
        head.headers.remove(PROXY_AUTHORIZATION);
    }
    if taken.authority.is_some() {
        let mut uri = std::mem::take(&mut head.uri).into_parts();
        uri.scheme = taken.scheme;
        uri.authority = taken.authority;
        head.uri = Uri::from_parts(uri).unwrap_or_default();
    }
    let (body, declared) = body.into_parts();
    (Request::from_parts(head, body), declared)
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

fn root() -> PathAndQuery {
    PathAndQuery::from_static("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> Request<Body> {
        Request::get(uri).body(Body::empty()).unwrap()
    }

    fn origin() -> Origin {
        Origin::parse("http://example.com:8080").unwrap()
    }

    #[test]
    fn http1_gets_the_origin_form_and_a_host_header() {
        let (sent, _) = prepare(
            request("http://EXAMPLE.com:8080/a?b"),
            &origin(),
            None,
            false,
            None,
            None,
        );
        assert_eq!(sent.uri(), "/a?b");
        assert_eq!(sent.headers()[HOST], "example.com:8080");
    }

    /// RTR-07
    #[test]
    fn a_host_header_of_the_callers_own_stays() {
        let mut mine = request("http://example.com:8080/");
        mine.headers_mut().insert(HOST, "other".parse().unwrap());
        let (sent, _) = prepare(mine, &origin(), None, false, None, None);
        assert_eq!(sent.headers()[HOST], "other");
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
                let mut original = request(uri);
                original.extensions_mut().insert(7u32);
                *original.version_mut() = Version::HTTP_11;
                let (sent, taken) = prepare(original, &origin(), None, shared, None, None);
                let (back, _) = restore(sent, taken);
                if !shared {
                    assert_eq!(back.uri(), &uri.parse::<Uri>().unwrap(), "{uri}");
                }
                assert_eq!(back.version(), Version::HTTP_11);
                assert_eq!(back.extensions().get::<u32>(), Some(&7));
                assert!(back.headers().is_empty());
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
            let (sent, taken) = prepare(request(uri), &origin(), Some(&proxy), false, None, None);
            assert_eq!(sent.uri(), "http://example.com:8080/a?b");
            assert_eq!(sent.headers()[HOST], "example.com:8080");
            let authorization = sent.headers().get(PROXY_AUTHORIZATION);
            assert_eq!(authorization, proxy.authorization());
            let (back, _) = restore(sent, taken);
            assert!(back.headers().is_empty());
            if uri.starts_with("http") {
                assert_eq!(back.uri(), &uri.parse::<Uri>().unwrap());
            }
        }
    }

    /// SMG-02
    #[test]
    fn a_content_length_that_contradicts_the_body_is_refused() {
        let with = |values: &[&str], body: Body| {
            let mut request = Request::post("http://a/").body(body).unwrap();
            for value in values {
                request
                    .headers_mut()
                    .append(CONTENT_LENGTH, value.parse().unwrap());
            }
            check(&request).map_err(|error| error.kind())
        };
        assert_eq!(with(&["3"], Body::from("abc")), Ok(None));
        for wrong in [&["4"][..], &["3", "4"], &["+3"], &["3,3"], &["-1"], &[""]] {
            let refused = with(wrong, Body::from("abc"));
            assert_eq!(refused, Err(ErrorKind::InvalidRequest), "{wrong:?}");
        }
    }
}
