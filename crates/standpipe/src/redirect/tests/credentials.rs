//! What goes along to another origin, and what does not.

use http::HeaderValue;
use standpipe_core::ErrorKind;

use super::*;

const FIRST: &str = "https://api.example.com/";

fn strict() -> RedirectLayer {
    ten()
        .strip(["x-api-key", "anthropic-*", "OpenAI-*"])
        .unwrap()
}

fn secretive(url: &str) -> Request<Body> {
    let mut request = Request::get(url)
        .header("authorization", "Bearer hunter2")
        .header("cookie", "session=hunter2")
        .header("proxy-authorization", "Basic hunter2")
        .header("x-api-key", "hunter2")
        .header("anthropic-beta", "hunter2")
        .header("openai-organization", "hunter2")
        .header("host", "api.example.com")
        .header("accept", "text/html")
        .body(Body::empty())
        .unwrap();
    let mut marked = HeaderValue::from_static("hunter2");
    marked.set_sensitive(true);
    request.headers_mut().insert("x-own", marked);
    request
}

fn secrets(seen: &Seen) -> usize {
    let headers = seen.headers.iter();
    headers.filter(|(_, value)| *value != "text/html").count()
}

/// RED-03
#[tokio::test]
async fn nothing_secret_crosses_to_another_scheme_host_or_port() {
    for other in [
        "https://api.example.com:8443/",
        "https://example.com/",
        "https://evil.example/",
        "https://api.example.com.evil.example/",
    ] {
        let outcome = send(&strict(), &[(FIRST, 302, other)], secretive(FIRST)).await;
        assert_eq!(outcome.urls(), [FIRST, other]);
        assert_eq!(secrets(&outcome.seen[0]), 8);
        assert_eq!(secrets(outcome.last()), 0, "{:?}", outcome.last().headers);
        assert_eq!(outcome.last().headers["accept"], "text/html");
    }
    let upgraded = [("http://api.example.com/", 302, FIRST)];
    let outcome = send(&strict(), &upgraded, secretive("http://api.example.com/")).await;
    assert_eq!(outcome.last().url, FIRST);
    assert_eq!(secrets(outcome.last()), 0);
}

/// RED-03
#[tokio::test]
async fn a_header_that_is_neither_named_nor_marked_goes_along() {
    let site = [(FIRST, 302, "https://other.example/")];
    let outcome = send(&ten(), &site, secretive(FIRST)).await;
    let headers = &outcome.last().headers;
    assert_eq!(secrets(outcome.last()), 3, "{headers:?}");
    for name in ["x-api-key", "anthropic-beta", "openai-organization"] {
        assert!(headers.contains_key(name), "{name}");
    }
}

/// RED-03
#[tokio::test]
async fn within_one_origin_however_it_is_spelt_all_goes_along() {
    for same in [
        "/next",
        "https://API.example.com/next",
        "https://api.example.com:443/next",
        "https://api.example.com./next",
    ] {
        let outcome = send(&strict(), &[(FIRST, 302, same)], secretive(FIRST)).await;
        assert_eq!(outcome.probe.calls(), 2);
        assert_eq!(secrets(outcome.last()), 8, "{same}");
    }
}

#[derive(Clone)]
struct Passing(u32);

#[derive(Clone)]
struct Other;

/// RED-03
#[tokio::test]
async fn extensions_cross_where_their_type_is_let_through() {
    let site = [
        (FIRST, 302, "/near"),
        ("https://api.example.com/near", 302, "https://far.example/"),
    ];
    let mut request = get(FIRST);
    request.extensions_mut().insert(Passing(7));
    request.extensions_mut().insert(Other);
    let layer = ten().keep_extension::<Passing>();
    let outcome = send(&layer, &site, request).await;
    let near = &outcome.seen[1].extensions;
    assert!(near.get::<Passing>().is_some() && near.get::<Other>().is_some());
    let far = &outcome.last().extensions;
    assert_eq!(far.get::<Passing>().map(|passing| passing.0), Some(7));
    assert!(far.get::<Other>().is_none());
}

/// RED-04
#[tokio::test]
async fn what_was_stripped_stays_away_even_back_at_the_first_host() {
    let site = [
        (FIRST, 302, "https://evil.example/"),
        ("https://evil.example/", 302, "https://evil.example/2"),
        (
            "https://evil.example/2",
            302,
            "https://api.example.com/back",
        ),
    ];
    let mut request = secretive(FIRST);
    request.extensions_mut().insert(Other);
    let outcome = send(&strict(), &site, request).await;
    assert_eq!(outcome.last().url, "https://api.example.com/back");
    for seen in &outcome.seen[1..] {
        assert_eq!(secrets(seen), 0, "{}", seen.url);
        assert!(seen.extensions.get::<Other>().is_none(), "{}", seen.url);
    }
}

/// RED-05
#[tokio::test]
async fn https_to_http_is_refused_unless_allowed() {
    let plain = "http://api.example.com/plain";
    let site = [(FIRST, 302, plain)];
    let refused = send(&strict(), &site, secretive(FIRST)).await;
    assert_eq!(refused.error().kind(), ErrorKind::Redirect);
    assert!(refused.error().to_string().contains("from https to http"));
    assert_eq!(refused.probe.calls(), 1);

    let allowed = strict().allow_downgrade(true);
    let outcome = send(&allowed, &site, secretive(FIRST)).await;
    assert_eq!(outcome.last().url, plain);
    assert_eq!(secrets(outcome.last()), 0);
}

/// RED-09
#[tokio::test]
async fn a_referer_goes_neither_from_https_to_http_nor_anywhere_with_userinfo() {
    async fn referer(first: &str, location: &str, referer: &str) -> Option<HeaderValue> {
        let request = Request::get(first)
            .header("referer", referer)
            .body(Body::empty())
            .unwrap();
        let layer = ten().allow_downgrade(true);
        let outcome = send(&layer, &[(first, 302, location)], request).await;
        assert_eq!(outcome.probe.calls(), 2);
        outcome.last().headers.get("referer").cloned()
    }
    let plain = "http://a.example/";
    assert_eq!(referer(FIRST, "http://b.example/", FIRST).await, None);
    // The origin stays the same, and the page that the caller named was on https.
    assert_eq!(referer(plain, "/next", FIRST).await, None);
    assert_eq!(referer(plain, "/next", "http://u:p@a.example/").await, None);
    assert_eq!(referer(plain, "/next", "no URL").await, None);
    assert_eq!(referer(plain, "http://b.example/", plain).await, None);
    assert_eq!(referer(plain, "/next", plain).await.unwrap(), plain);
    assert_eq!(referer(FIRST, "/next", FIRST).await.unwrap(), FIRST);
}

/// RED-09
#[tokio::test]
async fn no_referer_is_added() {
    let outcome = send(&ten(), &[(FIRST, 302, "/next")], get(FIRST)).await;
    assert!(outcome.last().headers.is_empty());
}
