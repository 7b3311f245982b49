//! What a `Location` may be.

use http::HeaderValue;
use standpipe_core::ErrorKind;

use super::*;

const BASE: &str = "http://a.example/b/c/d?q";

async fn located(location: &str) -> Outcome {
    send(&ten(), &[(BASE, 302, location)], get(BASE)).await
}

/// RED-06
#[tokio::test]
async fn a_relative_location_is_resolved_against_the_url_that_gave_it() {
    for (location, url) in [
        ("g", "http://a.example/b/c/g"),
        ("./g/.", "http://a.example/b/c/g/"),
        ("/g", "http://a.example/g"),
        ("../g", "http://a.example/b/g"),
        ("../../../g", "http://a.example/g"),
        ("?y", "http://a.example/b/c/d?y"),
        ("g?y#s", "http://a.example/b/c/g?y"),
        ("//h.example/g", "http://h.example/g"),
        ("http://h.example", "http://h.example/"),
        ("HTTP://H.example:80/%7e", "http://h.example/%7e"),
        ("/a b", "http://a.example/a%20b"),
        ("/\u{fc}", "http://a.example/%C3%BC"),
    ] {
        assert_eq!(located(location).await.last().url, url, "{location}");
    }
}

/// RED-06
#[tokio::test]
async fn an_empty_location_is_the_same_url_and_so_ends_at_the_limit() {
    let outcome = located("").await;
    assert_eq!(outcome.probe.calls(), 11);
    assert_eq!(
        outcome.error().kind(),
        ErrorKind::TooManyRedirects { limit: 10 }
    );
}

/// RED-06
#[tokio::test]
async fn a_redirect_that_leads_to_no_url_of_http_is_the_callers_answer() {
    for location in [
        "ftp://a.example/",
        "file:///etc/passwd",
        "mailto:someone@a.example",
        "data:text/plain,hello",
        "javascript:alert(1)",
        "gopher://a.example:70/",
        "unix:/run/socket",
        "http://",
        "http://[::1",
        "http://a.example:99999/",
        "http://exa%00mple/",
        "http://%zz/",
    ] {
        let outcome = located(location).await;
        assert_eq!(outcome.probe.calls(), 1, "{location}");
        assert_eq!(outcome.status(), 302, "{location}");
    }
    let missing = send_to(&ten(), get(BASE), |_| {
        let mut response = redirect(302, b"");
        response.headers_mut().remove("location");
        response
    })
    .await;
    assert_eq!(missing.status(), 302);
    let no_text = send_to(&ten(), get(BASE), |_| redirect(302, b"/\xff")).await;
    assert_eq!(no_text.status(), 302);
}

/// RED-06
#[tokio::test]
async fn a_location_with_userinfo_is_refused_and_its_password_is_in_no_message() {
    let outcome = located("http://user:hunter2@b.example/").await;
    let error = outcome.error();
    assert_eq!(error.kind(), ErrorKind::Redirect);
    assert_eq!(outcome.probe.calls(), 1);
    assert!(
        !format!("{error} {error:?}").contains("hunter2"),
        "{error:?}"
    );
}

/// RED-06: a byte of zero is no header value, so that a head with one does not get here.
#[tokio::test]
async fn a_location_with_nul_is_no_header_and_an_escaped_one_stays_escaped() {
    assert!(HeaderValue::from_bytes(b"http://b.example/\0").is_err());
    let outcome = located("/%00").await;
    assert_eq!(outcome.last().url, "http://a.example/%00");
}

/// RED-06
#[tokio::test]
async fn a_location_of_a_megabyte_is_the_callers_answer() {
    let long = format!("/{}", "x".repeat(1 << 20));
    let outcome = located(&long).await;
    assert_eq!(outcome.status(), 302);
    assert_eq!(outcome.probe.calls(), 1);
}
