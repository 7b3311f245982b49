use std::sync::Arc;

use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response};
use standpipe_core::sync::Mutex;
use standpipe_core::{Body, BoxError, ErrorKind};
use standpipe_test::Probe;
use tower::{Layer, ServiceExt};

use super::{CookieJar, CookieLayer};
use crate::RedirectLayer;

const SUFFIXES: &str = "// ===BEGIN ICANN DOMAINS===\ncom\nco.uk\n// ===END ICANN DOMAINS===\n";
const HTTPS: &str = "https://api.example.com/v1/things";

/// The cookies for `url`, or nothing.
fn at(jar: &CookieJar, url: &str) -> String {
    let value = jar.get(url).unwrap();
    value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
}

fn refused(jar: &CookieJar, url: &str, cookie: &str) -> String {
    let error = jar.set(url, cookie).expect_err(cookie);
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    error.to_string()
}

#[test]
fn a_cookie_goes_to_the_host_that_set_it_and_no_other() {
    let jar = CookieJar::new();
    jar.set(HTTPS, "a=1; Path=/").unwrap();
    assert_eq!(at(&jar, "https://api.example.com/"), "a=1");
    assert_eq!(at(&jar, "http://API.example.com:8080/other"), "a=1");
    for other in [
        "https://example.com/",
        "https://www.example.com/",
        "https://v1.api.example.com/",
        "https://api.example.com.evil.example/",
        "https://evilapi.example.com/",
    ] {
        assert_eq!(at(&jar, other), "", "{other}");
    }
}

#[test]
fn a_domain_lets_it_go_below_that_and_must_be_the_hosts_own() {
    let jar = CookieJar::new();
    jar.set(HTTPS, "a=1; Path=/; Domain=example.com").unwrap();
    assert_eq!(at(&jar, "https://www.example.com/"), "a=1");
    assert_eq!(at(&jar, "https://evilexample.com/"), "");
    for foreign in ["evil.example", "www.example.com", "v1.api.example.com"] {
        refused(&jar, HTTPS, &format!("b=1; Domain={foreign}"));
    }
    assert!(refused(&jar, HTTPS, "b=1; Domain=com").contains("top-level"));
    refused(&jar, "https://127.0.0.1/", "b=1; Domain=0.0.1");
    jar.set("http://localhost/", "c=1; Domain=localhost")
        .unwrap();
}

#[test]
fn public_suffixes_are_those_of_the_list_that_was_given() {
    let plain = CookieJar::new();
    plain.set("https://a.co.uk/", "a=1; Domain=co.uk").unwrap();
    let listed = CookieJar::with_public_suffixes(SUFFIXES).unwrap();
    let suffix = refused(&listed, "https://a.co.uk/", "a=1; Domain=co.uk");
    assert!(suffix.contains("public suffix"), "{suffix}");
    listed
        .set("https://b.a.co.uk/", "a=1; Domain=a.co.uk")
        .unwrap();

    let mut saved = Vec::new();
    plain.save_with_session(&mut saved).unwrap();
    listed.load(&saved[..]).unwrap();
    refused(&listed, "https://a.co.uk/", "b=1; Domain=co.uk");
    let none = CookieJar::with_public_suffixes("<html>").unwrap_err();
    assert_eq!(none.kind(), ErrorKind::Config);
}

#[test]
fn path_and_security_decide_and_longer_paths_come_first() {
    let jar = CookieJar::new();
    jar.set(HTTPS, "root=1; Path=/").unwrap();
    jar.set(HTTPS, "deep=1; Path=/v1/things").unwrap();
    jar.set(HTTPS, "own=1").unwrap();
    jar.set(HTTPS, "safe=1; Path=/; Secure; HttpOnly").unwrap();
    assert_eq!(at(&jar, HTTPS), "deep=1; own=1; root=1; safe=1");
    assert_eq!(at(&jar, "http://api.example.com/v1/x"), "own=1; root=1");
    assert_eq!(at(&jar, "https://api.example.com/v10"), "root=1; safe=1");
}

#[test]
fn what_came_by_http_is_not_secure_and_prefixes_keep_their_promise() {
    let jar = CookieJar::new();
    let http = "http://api.example.com/";
    refused(&jar, http, "a=1; Secure");
    for broken in [
        "__Host-a=1; Path=/",
        "__Host-a=1; Path=/v1; Secure",
        "__Host-a=1; Path=/; Secure; Domain=example.com",
        "__secure-a=1",
    ] {
        assert!(refused(&jar, HTTPS, broken).contains("prefix"), "{broken}");
    }
    jar.set(HTTPS, "__Host-a=1; Path=/; Secure").unwrap();
    jar.set(HTTPS, "__Secure-a=1; Secure; Domain=example.com")
        .unwrap();
    assert_eq!(jar.len(), 2);
}

#[test]
fn an_expired_cookie_removes_the_one_it_names() {
    let jar = CookieJar::new();
    jar.set(HTTPS, "a=1; Path=/; Max-Age=600").unwrap();
    jar.set(HTTPS, "a=2; Path=/").unwrap();
    assert_eq!(at(&jar, HTTPS), "a=2");
    jar.set(HTTPS, "a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
        .unwrap();
    assert!(jar.is_empty());
    jar.set(HTTPS, "b=1; Max-Age=0").unwrap();
    jar.set(HTTPS, "c=1").unwrap();
    jar.clear();
    assert_eq!((jar.len(), at(&jar, HTTPS)), (0, String::new()));
}

#[test]
fn a_jar_is_bounded_and_what_is_kept_can_still_change() {
    let jar = CookieJar::new();
    for n in 0..180 {
        jar.set(HTTPS, &format!("c{n}=1; Path=/")).unwrap();
    }
    assert!(refused(&jar, HTTPS, "more=1; Path=/").contains("180"));
    jar.set(HTTPS, "c7=2; Path=/").unwrap();
    jar.set(HTTPS, "c8=; Path=/; Max-Age=0").unwrap();
    jar.set(HTTPS, "more=1; Path=/").unwrap();
    assert_eq!(jar.len(), 180);
    let long = format!("long={}", "x".repeat(4096));
    assert!(refused(&jar, "https://b.example/", &long).contains("4096"));
    let saved: Vec<_> = (0..2999).map(saved_of_host).collect();
    jar.load(format!("[{}]", saved.join(",")).as_bytes())
        .unwrap();
    jar.set(HTTPS, "a=1").unwrap();
    assert!(refused(&jar, "https://b.example/", "a=1").contains("3000"));
}

fn saved_of_host(number: usize) -> String {
    let domain = format!(r#"{{"HostOnly":"h{number}.example"}}"#);
    format!(r#"{{"raw_cookie":"a=1","path":["/",false],"domain":{domain},"expires":"SessionEnd"}}"#)
}

#[test]
fn what_is_no_cookie_and_no_url_is_refused() {
    let jar = CookieJar::new();
    for bad in ["", "a", "=1", "a=1\r\nb: 2", "a=\0"] {
        refused(&jar, HTTPS, bad);
    }
    refused(&jar, "ftp://a.example/", "a=1");
    refused(&jar, "/v1", "a=1");
    assert_eq!(
        jar.get("mailto:a").unwrap_err().kind(),
        ErrorKind::InvalidRequest
    );
}

#[test]
fn a_jar_is_saved_and_loaded() {
    let jar = CookieJar::new();
    jar.set(HTTPS, "lasting=hunter2; Max-Age=600").unwrap();
    jar.set(HTTPS, "session=hunter2").unwrap();
    assert!(!format!("{jar:?}").contains("hunter2"));
    assert!(jar.get(HTTPS).unwrap().unwrap().is_sensitive());
    let (mut lasting, mut all) = (Vec::new(), Vec::new());
    jar.save(&mut lasting).unwrap();
    jar.save_with_session(&mut all).unwrap();

    let other = CookieJar::new();
    other.set("https://b.example/", "b=1").unwrap();
    other.load(&lasting[..]).unwrap();
    assert_eq!(at(&other, HTTPS), "lasting=hunter2");
    assert_eq!(at(&other, "https://b.example/"), "");
    other.load(&all[..]).unwrap();
    assert_eq!(at(&other, HTTPS), "lasting=hunter2; session=hunter2");
    let error = other
        .load(&br#"[{"raw_cookie": "hunter2"}]"#[..])
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert_eq!(other.len(), 2);
}

/// What each request had as its `Cookie`, under a server that answers `/` with a redirect to
/// `elsewhere` and sets a cookie with each answer.
async fn hops(jar: &CookieJar, own: Option<&str>) -> Vec<(String, String)> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let probe = Probe::new(move |request: Request<Body>| {
        let cookie = request.headers().get(COOKIE);
        let cookie = cookie
            .map_or("", |cookie| cookie.to_str().unwrap())
            .to_owned();
        let host = request.uri().host().unwrap().to_owned();
        let mut response = Response::builder().header(SET_COOKIE, format!("of={host}; Path=/"));
        response = response.header(SET_COOKIE, "evil=1; Domain=c.example");
        if host == "a.example" {
            response = response
                .status(302)
                .header("location", "https://b.example/");
        }
        record.lock().push((host, cookie));
        std::future::ready(Ok::<_, BoxError>(response.body(Body::empty()).unwrap()))
    });
    let service = RedirectLayer::new(10).layer(CookieLayer::new(jar.clone()).layer(probe));
    let mut request = Request::get("https://a.example/");
    if let Some(own) = own {
        request = request.header(COOKIE, own);
    }
    let request = request.body(Body::empty()).unwrap();
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
    seen.lock().clone()
}

fn pair(host: &str, cookie: &str) -> (String, String) {
    (host.to_owned(), cookie.to_owned())
}

#[tokio::test]
async fn each_hop_keeps_what_it_is_given_and_sends_what_is_its_own() {
    let jar = CookieJar::new();
    let first = hops(&jar, None).await;
    assert_eq!(first, [pair("a.example", ""), pair("b.example", "")]);
    assert_eq!(jar.len(), 2);
    let second = hops(&jar, None).await;
    let (a, b) = ("of=a.example", "of=b.example");
    assert_eq!(second, [pair("a.example", a), pair("b.example", b)]);
}

#[tokio::test]
async fn a_requests_own_cookies_go_as_they_are_and_to_its_own_origin_alone() {
    let jar = CookieJar::new();
    hops(&jar, None).await;
    let seen = hops(&jar, Some("own=1")).await;
    let (a, b) = ("own=1", "of=b.example");
    assert_eq!(seen, [pair("a.example", a), pair("b.example", b)]);
}

#[tokio::test]
async fn a_layer_that_is_off_sends_and_keeps_nothing() {
    let probe = Probe::new(|request: Request<Body>| {
        assert!(request.headers().is_empty());
        let response = Response::builder().header(SET_COOKIE, "a=1");
        std::future::ready(Ok::<_, BoxError>(response.body(Body::empty()).unwrap()))
    });
    let service = CookieLayer::off().layer(probe);
    assert!(service.jar().is_none());
    let request = Request::get(HTTPS).body(Body::empty()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.headers()[SET_COOKIE], "a=1");
}
