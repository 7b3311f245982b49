//! What is wrong with a request can be told before a connection is asked for.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Version};
use http_body::Body as HttpBody;
use standpipe_core::{Body, Error, ErrorKind, Phase};

/// Refuses what no connection could send; returns the length that a streaming body is held to,
/// declared by the head or by the stream itself.
#[inline]
pub(super) fn check<B>(request: &Request<B>, body: &Body) -> Result<Option<u64>, Error> {
    let (method, headers) = (request.method(), request.headers());
    if headers.is_empty() && body.is_buffered() && *method != Method::CONNECT {
        return Ok(None);
    }
    check_all(method, request.version(), headers, body)
}

fn check_all(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
    body: &Body,
) -> Result<Option<u64>, Error> {
    let own = body.size_hint().exact();
    if !body.is_end_stream() {
        if *method == Method::CONNECT {
            return Err(invalid(
                "a CONNECT has no body: what follows it is the tunnel's",
            ));
        }
        let known = own.is_some() || headers.contains_key(CONTENT_LENGTH);
        if version == Version::HTTP_10 && !known {
            return Err(invalid("HTTP/1.0 sends no body without a length"));
        }
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        check_codings(headers)?;
        if headers.contains_key(CONTENT_LENGTH) {
            return Err(invalid("both content-length and transfer-encoding are set"));
        }
    }
    let declared = declared_length(headers)?;
    match (declared, own) {
        (Some(declared), Some(own)) if declared != own => {
            Err(invalid("content-length is not the body's length"))
        }
        _ if body.is_buffered() => Ok(None),
        (declared, own) => Ok(declared.or(own)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// SMG-02
    #[test]
    fn a_content_length_that_contradicts_the_body_is_refused() {
        let with = |values: &[&str], body: Body| {
            let mut request = Request::post("http://a/").body(()).unwrap();
            for value in values {
                request
                    .headers_mut()
                    .append(CONTENT_LENGTH, value.parse().unwrap());
            }
            check(&request, &body).map_err(|error| error.kind())
        };
        assert_eq!(with(&["3"], Body::from("abc")), Ok(None));
        for wrong in [&["4"][..], &["3", "4"], &["+3"], &["3,3"], &["-1"], &[""]] {
            let refused = with(wrong, Body::from("abc"));
            assert_eq!(refused, Err(ErrorKind::InvalidRequest), "{wrong:?}");
        }
    }
}
