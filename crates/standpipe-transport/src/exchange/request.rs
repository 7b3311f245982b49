//! A request in the form that its connection wants, and back again.

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use http_body::Body as HttpBody;
use standpipe_core::{Body, Error, ErrorKind, Origin, Phase};

use super::SendBody;
use super::lease::Hold;

/// What [`prepare`] took from a request and [`restore`] gives back.
#[derive(Debug)]
pub(crate) struct Taken {
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    version: Version,
    added_host: bool,
    added_coding: bool,
}

/// Checks what can be checked before a connection is asked for; returns the length that the head
/// declares for a body whose own length is unknown.
pub(crate) fn check(request: &Request<Body>) -> Result<Option<u64>, Error> {
    let headers = request.headers();
    if !request.body().is_end_stream() {
        if *request.method() == Method::CONNECT {
            return Err(invalid(
                "a CONNECT has no body: what follows it is the tunnel's",
            ));
        }
        if request.version() == Version::HTTP_10 && is_of_unknown_length(request) {
            return Err(invalid("HTTP/1.0 sends no body without a length"));
        }
    }
    if headers.is_empty() {
        return Ok(None);
    }
    check_codings(headers)?;
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

fn is_of_unknown_length(request: &Request<Body>) -> bool {
    !request.headers().contains_key(CONTENT_LENGTH) && request.body().size_hint().exact().is_none()
}

/// hyper adds `chunked` where it is not the last coding, which would then be applied twice (RFC 9112,
/// 6.1).
fn check_codings(headers: &HeaderMap) -> Result<(), Error> {
    let mut chunked = false;
    for value in headers.get_all(TRANSFER_ENCODING) {
        for coding in value.to_str().unwrap_or_default().split(',') {
            if chunked {
                return Err(invalid("chunked is not the last transfer-encoding"));
            }
            chunked = coding.trim().eq_ignore_ascii_case("chunked");
        }
    }
    Ok(())
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

/// The request as HTTP/1.1 (origin form and `Host`, RFC 9112, 3.2) or HTTP/2 (absolute form,
/// from which the pseudo-headers are made) wants it.
pub(crate) fn prepare(
    request: Request<Body>,
    origin: &Origin,
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
        added_coding: false,
    };
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
        head.uri = if head.method == Method::CONNECT {
            authority_form(origin)
        } else {
            uri.path_and_query.map_or_else(Uri::default, Uri::from)
        };
        if leaves_out(&head.method, &body) && !is_framed(&head.headers) {
            let chunked = HeaderValue::from_static("chunked");
            head.headers.insert(TRANSFER_ENCODING, chunked);
            taken.added_coding = true;
        }
    }
    // A stream is held to the length that it gave itself as well.
    let own = || (!body.is_buffered()).then(|| body.size_hint().exact());
    let declared = declared.or_else(|| own().flatten());
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

/// The host and port alone (RFC 9112, 3.2.3).
fn authority_form(origin: &Origin) -> Uri {
    let text = format!("{}:{}", origin.host(), origin.port());
    text.parse().unwrap_or_default()
}

/// The request as it was before [`prepare`], and the declared length.
pub(crate) fn restore(request: Request<SendBody>, taken: Taken) -> (Request<Body>, Option<u64>) {
    let (mut head, body) = request.into_parts();
    head.version = taken.version;
    if taken.added_host {
        head.headers.remove(HOST);
    }
    if taken.added_coding {
        head.headers.remove(TRANSFER_ENCODING);
    }
    if taken.authority.is_some() {
        let mut uri = std::mem::take(&mut head.uri).into_parts();
        uri.scheme = taken.scheme;
        uri.authority = taken.authority;
        // That of a CONNECT was left out, and says nothing.
        uri.path_and_query.get_or_insert_with(root);
        head.uri = Uri::from_parts(uri).unwrap_or_default();
    }
    let (body, declared) = body.into_parts();
    (Request::from_parts(head, body), declared)
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
        let (sent, _) = prepare(mine, &origin(), false, None, None);
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
                let (sent, taken) = prepare(original, &origin(), shared, None, None);
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
