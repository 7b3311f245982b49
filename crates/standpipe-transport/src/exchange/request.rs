//! A request in the form that its connection wants, and back again.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri, Version};
use http_body::Body as HttpBody;
use standpipe_core::{Body, Error, ErrorKind, Origin, Phase};

/// What [`prepare`] changed in a request, for [`restore`] to put back.
#[derive(Debug)]
pub(crate) struct Taken {
    /// As it was, where it is sent in another form.
    uri: Option<Uri>,
    version: Version,
    added_host: bool,
}

/// Checks what can be checked before a connection is asked for; returns the length that the head
/// declares for a body whose own length is unknown.
#[inline]
pub(crate) fn check(headers: &HeaderMap, body: &Body) -> Result<Option<u64>, Error> {
    if headers.is_empty() {
        return Ok(None);
    }
    check_length(headers, body)
}

fn check_length(headers: &HeaderMap, body: &Body) -> Result<Option<u64>, Error> {
    let Some(declared) = declared_length(headers)? else {
        return Ok(None);
    };
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(invalid("both content-length and transfer-encoding are set"));
    }
    match body.size_hint().exact() {
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

/// The request as HTTP/1.1 (origin form and `Host`, RFC 9112, 3.2) or HTTP/2 (absolute form,
/// from which the pseudo-headers are made) wants it.
pub(crate) fn prepare(head: &mut Parts, origin: &Origin, shared: bool) -> Taken {
    let mut taken = Taken {
        uri: None,
        version: head.version,
        added_host: false,
    };
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
    if head.uri.authority().is_some() {
        let path = head.uri.path_and_query().cloned();
        let path = path.map_or_else(Uri::default, Uri::from);
        taken.uri = Some(std::mem::replace(&mut head.uri, path));
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

/// The head as it was before [`prepare`].
pub(crate) fn restore(head: &mut Parts, taken: Taken) {
    head.version = taken.version;
    if taken.added_host {
        head.headers.remove(HOST);
    }
    if let Some(uri) = taken.uri {
        head.uri = uri;
    }
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

    #[test]
    fn http1_gets_the_origin_form_and_a_host_header() {
        let mut sent = head("http://EXAMPLE.com:8080/a?b");
        prepare(&mut sent, &origin(), false);
        assert_eq!(sent.uri, "/a?b");
        assert_eq!(sent.headers[HOST], "example.com:8080");
    }

    /// RTR-07
    #[test]
    fn a_host_header_of_the_callers_own_stays() {
        let mut mine = head("http://example.com:8080/");
        mine.headers.insert(HOST, "other".parse().unwrap());
        prepare(&mut mine, &origin(), false);
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
                let taken = prepare(&mut head, &origin(), shared);
                restore(&mut head, taken);
                assert_eq!(head.uri, uri.parse::<Uri>().unwrap(), "{uri}");
                assert_eq!(head.version, Version::HTTP_11);
                assert_eq!(head.extensions.get::<u32>(), Some(&7));
                assert!(head.headers.is_empty());
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
            check(request.headers(), request.body()).map_err(|error| error.kind())
        };
        assert_eq!(with(&["3"], Body::from("abc")), Ok(None));
        for wrong in [&["4"][..], &["3", "4"], &["+3"], &["3,3"], &["-1"], &[""]] {
            let refused = with(wrong, Body::from("abc"));
            assert_eq!(refused, Err(ErrorKind::InvalidRequest), "{wrong:?}");
        }
    }
}
